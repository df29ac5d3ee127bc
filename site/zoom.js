// Touch, mouse and wheel on the large photo: zoom, move, swipe.

const MOST = 8;
const DOUBLE = 2.5; // the zoom of a double tap
const SWIPE = 60; // CSS pixels
const DOUBLE_TAP_MS = 300;

// Zooms `image` inside `stage`. `swiped` gets -1 (back), 1 (on) or 0 (close). Returns a function
// that shows the whole photo again.
export function zoomable(stage, image, swiped) {
  const fingers = new Map(); // pointerId → {x, y}
  let [scale, x, y] = [1, 0, 0];
  let start = null; // of a swipe
  let tapped = 0; // time of the last tap

  function draw() {
    const [w, h] = [(image.clientWidth * scale - stage.clientWidth) / 2, (image.clientHeight * scale - stage.clientHeight) / 2];
    x = Math.max(-Math.max(0, w), Math.min(Math.max(0, w), x));
    y = Math.max(-Math.max(0, h), Math.min(Math.max(0, h), y));
    image.style.transform = scale === 1 ? "" : `translate(${x}px, ${y}px) scale(${scale})`;
    stage.classList.toggle("zoomed", scale > 1);
  }

  // Zooms to `next`; the point `at` of the window stays where it is.
  function zoom(next, at) {
    next = Math.max(1, Math.min(MOST, next));
    const box = stage.getBoundingClientRect();
    const [dx, dy] = [at.x - box.left - box.width / 2, at.y - box.top - box.height / 2];
    x = dx - ((dx - x) * next) / scale;
    y = dy - ((dy - y) * next) / scale;
    scale = next;
    draw();
  }

  const point = (event) => ({ x: event.clientX, y: event.clientY });
  const spread = () => {
    const [a, b] = [...fingers.values()];
    return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, size: Math.hypot(a.x - b.x, a.y - b.y) };
  };

  stage.addEventListener("pointerdown", (event) => {
    if (event.button || event.target.closest("button, a")) return;
    stage.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, point(event));
    start = fingers.size === 1 ? point(event) : null;
  });
  stage.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const last = fingers.size === 2 && spread();
    fingers.set(event.pointerId, point(event));
    if (last) {
      const now = spread();
      [x, y] = [x + now.x - last.x, y + now.y - last.y];
      zoom((scale * now.size) / (last.size || 1), now);
    } else if (fingers.size === 1 && scale > 1) {
      [x, y] = [x + event.clientX - before.x, y + event.clientY - before.y];
      draw();
    }
  });
  stage.addEventListener("pointerup", (event) => {
    if (!fingers.delete(event.pointerId) || !start) return;
    const [dx, dy] = [event.clientX - start.x, event.clientY - start.y];
    start = null;
    if (Math.hypot(dx, dy) < 10) {
      if (event.timeStamp - tapped < DOUBLE_TAP_MS) {
        zoom(scale > 1 ? 1 : DOUBLE, point(event));
        tapped = 0;
      } else {
        tapped = event.timeStamp;
      }
    } else if (scale === 1 && event.pointerType !== "mouse") {
      if (Math.abs(dx) > Math.max(SWIPE, Math.abs(dy))) swiped(dx < 0 ? 1 : -1);
      else if (dy > Math.max(2 * SWIPE, Math.abs(dx))) swiped(0);
    }
  });
  stage.addEventListener("pointercancel", (event) => fingers.delete(event.pointerId));
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(scale * Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.002)), point(event));
  }, { passive: false });

  return function whole() {
    [scale, x, y] = [1, 0, 0];
    fingers.clear();
    draw();
  };
}
