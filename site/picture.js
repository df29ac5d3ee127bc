// A picture to search by: made smaller, sent once. The address then holds its vector.
import { TOO_LARGE, ask, attempt, isolated, say } from "./search.js";
import { know } from "./chips.js";

const MAX_PICTURE = 20_000_000; // bytes, the limit of search
// Pixels. Models see at most about 400, so larger pictures are scaled down before the upload.
const SHORTER_SIDE = 512;
const SMALL_PICTURE = 150_000; // bytes; such files are uploaded unchanged

// Scales `file` down to a JPEG, if that makes it smaller and this browser can read it.
async function scaled(file) {
  if (file.size <= SMALL_PICTURE) return file;
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (!bitmap) return file;
  const scale = Math.min(1, SHORTER_SIDE / Math.min(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff"; // white background, as in search
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.9));
  return blob && blob.size < file.size ? blob : file;
}

const isNoPicture = (file) => file.type && !file.type.startsWith("image/");

// Calls `found` with the `picture` of an address, for the first picture among `files`.
export function read(files, found) {
  const file = [...files].find((it) => !isNoPicture(it)) ?? files[0];
  if (isNoPicture(file)) {
    say([...isolated(file.name), " is not a picture."], true);
    return;
  }
  attempt(async (how) => {
    const image = await scaled(file);
    if (image.size > MAX_PICTURE) throw Object.assign(new Error(TOO_LARGE), { status: 413 });
    const body = new FormData();
    body.append("image", image, file.name);
    const answer = await ask("/embed", { ...how, method: "POST", body }).catch((error) => {
      if (error.status === 403) error.message = "Searching by a picture is switched off here.";
      throw error;
    });
    know(answer.picture, { url: URL.createObjectURL(image), name: file.name });
    return answer.picture;
  }, found, { doing: "Reading the picture…" });
}
