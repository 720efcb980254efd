// The upload page: takes photos, sends each to POST /predict, and shows the answers in the photos' order.

import { counted, element, showPhoto } from "./faces.js";

const AT_ONCE = 4; // photos under way
const TRIES = 6; // of a photo while the server is busy

const byId = (id) => document.getElementById(id);
const results = byId("results");

let model = null;
let token = "";
let epoch = new AbortController(); // of everything since the last "Clear"
let queue = [];
let running = 0;
let tally = { photos: 0, done: 0, faces: 0, failed: 0 };
let answers = [];
let addresses = [];

/** A request with the token; its JSON. Throws an Error whose message is for people. */
async function ask(path, options = {}) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server cannot be reached. Is it still running?");
  }
  const text = await response.text();
  let content;
  try {
    content = JSON.parse(text);
  } catch {
    content = { error: { type: "http", message: text.trim() || `the server answered ${response.status}` } };
  }
  // A photo that cannot be read has its error in its own place.
  if (response.ok || content.photos) return content;
  const error = new Error(content.error.message);
  error.status = response.status;
  error.seconds = Number(response.headers.get("Retry-After")) || 0;
  throw error;
}

const pause = (seconds, signal) => new Promise((resolve, reject) => {
  const timer = setTimeout(resolve, 1000 * seconds);
  signal.addEventListener("abort", () => { clearTimeout(timer); reject(signal.reason); }, { once: true });
});

async function predict(file, signal) {
  const query = byId("aligned").checked ? "?attention=true&aligned=true" : "?attention=true";
  for (let attempt = 1; ; attempt++) {
    const body = new FormData();
    body.append("photos", file, file.name);
    try {
      const answer = await ask(`/predict${query}`, { method: "POST", body, signal });
      return answer.photos[0];
    } catch (error) {
      if (!error.seconds || attempt === TRIES) throw error;
      await pause(error.seconds, signal);
    }
  }
}

function megabytes(bytes) {
  return bytes < 1e5 ? `${Math.ceil(bytes / 2 ** 10)} KB` : `${+(bytes / 2 ** 20).toFixed(2)} MB`;
}

function add(files) {
  if (!model) return;
  for (const file of files) {
    const card = element("article", { ariaBusy: "true" }, element("h2", {}, file.name || "photo"),
      element("p", { className: "none waiting" }, "Looking for faces"));
    results.append(card);
    queue.push({ file, card });
    tally.photos += 1;
  }
  byId("clear").disabled = tally.photos === 0;
  report();
  work();
}

function work() {
  while (running < AT_ONCE && queue.length > 0) {
    running += 1;
    const { signal } = epoch;
    const { file, card } = queue.shift();
    one(file, card, signal).finally(() => {
      if (signal.aborted) return;
      running -= 1;
      tally.done += 1;
      report();
      work();
    });
  }
}

async function one(file, card, signal) {
  let photo;
  try {
    if (file.size > model.limits.bytes) {
      throw new Error(`The file has ${megabytes(file.size)}; this server takes up to ${megabytes(model.limits.bytes)}.`);
    }
    photo = await predict(file, signal);
  } catch (error) {
    if (signal.aborted) return;
    if (error.status === 401) demandToken("The token is no longer right.");
    photo = { name: file.name, error: { type: "request", message: error.message } };
  }
  if (signal.aborted) return;
  answers.push(photo);
  card.replaceChildren();
  card.removeAttribute("aria-busy");
  if (photo.error) {
    tally.failed += 1;
    card.className = "failed";
    card.append(element("h2", {}, file.name || "photo"), element("p", { role: "alert" }, photo.error.message));
    return;
  }
  tally.faces += photo.faces.length;
  const address = URL.createObjectURL(file);
  addresses.push(address);
  showPhoto(card, address, photo, model);
}

function report() {
  const left = tally.photos - tally.done;
  const parts = [];
  if (left > 0) parts.push(`${counted(left, "photo")} under way`);
  if (tally.done > tally.failed) parts.push(`${counted(tally.faces, "face")} in ${counted(tally.done - tally.failed, "photo")}`);
  if (tally.failed > 0) parts.push(`${counted(tally.failed, "photo")} failed`);
  byId("status").textContent = parts.join(" · ");
  byId("save").disabled = answers.length === 0;
}

function clear() {
  epoch.abort();
  epoch = new AbortController();
  addresses.forEach((address) => URL.revokeObjectURL(address));
  [queue, answers, addresses, running] = [[], [], [], 0];
  tally = { photos: 0, done: 0, faces: 0, failed: 0 };
  results.replaceChildren();
  byId("clear").disabled = true;
  report();
  byId("files").focus();
}

function save() {
  const pictures = new Set(["crop", "attention"]);
  const content = JSON.stringify({ model: model.model, version: model.version, trained: model.trained, photos: answers },
    (key, value) => (pictures.has(key) ? undefined : value), 2);
  const address = URL.createObjectURL(new Blob([content], { type: "application/json" }));
  element("a", { href: address, download: "faces.json" }).click();
  URL.revokeObjectURL(address);
}

function demandToken(problem = "") {
  byId("access").hidden = false;
  byId("denied").textContent = problem;
  byId("token").focus();
}

async function start() {
  try {
    model = await ask("/model");
  } catch (error) {
    if (error.status === 401) {
      byId("about").textContent = "";
      demandToken(token ? "That is not the token." : "");
    } else {
      byId("about").textContent = error.message;
    }
    byId("upload").hidden = true;
    return;
  }
  byId("access").hidden = true;
  byId("upload").hidden = false;
  byId("untrained").hidden = model.trained;
  byId("about").textContent = `${model.names.length} attributes of each face in your photos`;
  const { bytes, pixels } = model.limits;
  byId("limits").textContent = `JPEG or PNG, up to ${megabytes(bytes)} and ${(pixels / 1e6).toFixed(pixels < 1e6 ? 2 : 0)} `
    + "megapixels each. Photos are not stored.";
  byId("facts").textContent = `libblan ${model.version} · model ${model.model || "from memory"}${model.trained ? "" : " (untrained)"}`
    + ` · input ${model.input_size} × ${model.input_size} · network: BLAN, Pattern Recognition 2020`;
}

byId("files").addEventListener("change", (event) => {
  add([...event.target.files]);
  event.target.value = ""; // the same file may be chosen again
});
byId("marks").addEventListener("change", (event) => results.classList.toggle("unmarked", !event.target.checked));
byId("clear").addEventListener("click", clear);
byId("save").addEventListener("click", save);
byId("access").addEventListener("submit", (event) => {
  event.preventDefault();
  token = byId("token").value.trim();
  start();
});
byId("upload").addEventListener("submit", (event) => event.preventDefault());

const drop = byId("drop");
let depth = 0; // of the elements a drag has entered
const hold = (event) => { if (event.dataTransfer?.types.includes("Files")) event.preventDefault(); };
document.addEventListener("dragover", hold);
document.addEventListener("dragenter", (event) => { hold(event); depth += 1; drop.classList.add("over"); });
document.addEventListener("dragleave", () => { depth -= 1; if (depth <= 0) drop.classList.remove("over"); });
document.addEventListener("drop", (event) => {
  hold(event);
  depth = 0;
  drop.classList.remove("over");
  if (event.dataTransfer) add([...event.dataTransfer.files]);
});
document.addEventListener("paste", (event) => {
  if (event.clipboardData?.files.length) add([...event.clipboardData.files]);
});

start();
