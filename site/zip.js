// Writes a zip of files that are already compressed: stored, names in UTF-8.
// https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, 4.3 and 4.4.4 (bit 11)

export const MOST_BYTES = 0xffff_0000, MOST_FILES = 65_000; // more would need Zip64

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1;
  return n;
});

function crc32(bytes) {
  let sum = 0xffffffff;
  for (const byte of bytes) sum = TABLE[(sum ^ byte) & 255] ^ (sum >>> 8);
  return ~sum >>> 0;
}

// The numbers as little-endian bytes; each is [bytes, value].
function packed(...fields) {
  const view = new DataView(new ArrayBuffer(fields.reduce((sum, [size]) => sum + size, 0)));
  let at = 0;
  for (const [size, value] of fields) {
    if (size === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += size;
  }
  return new Uint8Array(view.buffer);
}

// Date and time as MS-DOS has them, of "2023-07-14T18:03:22"; 1980 if unknown.
function dosTime(text) {
  const [year, month, day, hour, minute, second] = (text ?? "").split(/[-T:+Z.]/).map(Number);
  if (!(year >= 1980 && year < 2108)) return [0, 0x21];
  return [(hour << 11) | (minute << 5) | (second >> 1), ((year - 1980) << 9) | (month << 5) | day];
}

export class Zip {
  // `write` takes Uint8Arrays in order.
  constructor(write) {
    [this.write, this.size, this.central] = [write, 0, []];
    this.names = new Set();
  }

  async #put(bytes) {
    await this.write(bytes);
    this.size += bytes.length;
  }

  // Raises RangeError if the zip would get too large.
  async add(path, bytes, taken) {
    if (this.size + bytes.length > MOST_BYTES || this.central.length === MOST_FILES) {
      throw new RangeError("A zip holds at most 4 GB. Choose fewer photos.");
    }
    const name = new TextEncoder().encode(this.#own(path));
    const [time, day] = dosTime(taken);
    const about = [
      [2, 20], [2, 0x800], [2, 0], [2, time], [2, day],
      [4, crc32(bytes)], [4, bytes.length], [4, bytes.length], [2, name.length], [2, 0],
    ];
    const entry = packed([4, 0x02014b50], [2, 20], ...about, [2, 0], [2, 0], [2, 0], [4, 0], [4, this.size]);
    this.central.push(entry, name);
    await this.#put(packed([4, 0x04034b50], ...about));
    await this.#put(name);
    await this.#put(bytes);
  }

  // A path within the folder of the zip that no other file has.
  #own(path) {
    const parts = path.split(/[/\\]/).filter((part) => part && part !== "." && part !== "..");
    const plain = parts.join("/") || "photo";
    let own = plain;
    for (let n = 2; this.names.has(own); n++) own = plain.replace(/(\.[^./]*)?$/, ` (${n})$1`);
    this.names.add(own);
    return own;
  }

  async end() {
    const begin = this.size;
    for (const bytes of this.central) await this.#put(bytes);
    const count = this.central.length / 2;
    await this.#put(packed(
      [4, 0x06054b50], [2, 0], [2, 0], [2, count], [2, count], [4, this.size - begin], [4, begin], [2, 0],
    ));
  }
}
