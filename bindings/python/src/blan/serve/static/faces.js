// The picture of an answer: a photo with its boxes, and a card of bars and attention maps for each face.

const LEVELS = ["fine", "middle", "coarse"];
const START_OPACITY = 80; // per cent

/** An HTML element with properties and children. */
export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** An SVG element with attributes. */
function drawn(name, attributes = {}, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

/** How many of a thing, in words. */
export function counted(number, one, many = `${one}s`) {
  return `${number} ${number === 1 ? one : many}`;
}

/**
 * Fills in the card of a photo that could be read.
 * @param {HTMLElement} card an empty article
 * @param {string} address of the photo, for an img
 * @param {object} photo its part of the answer of POST /predict
 * @param {object} model the answer of GET /model
 */
export function showPhoto(card, address, photo, model) {
  const aligned = photo.found === undefined;
  const beyond = photo.found > photo.faces.length ? `, of ${photo.found} found` : "";
  const what = aligned ? "an aligned crop" : counted(photo.faces.length, "face") + beyond;
  card.append(
    element("h2", {}, `${photo.name || "photo"} `, element("small", {}, `${photo.width} × ${photo.height}, ${what}`)),
  );
  const picture = element("div", { className: "photo whole" });
  picture.style.setProperty("--ratio", `${photo.width} / ${photo.height}`);
  picture.append(element("img", { src: address, alt: `The photo ${photo.name || ""}, ${what}` }));
  const cards = element("div", { className: "faces" });
  const groups = aligned ? [] : boxes(picture, photo);
  photo.faces.forEach((face, index) => {
    const section = faceCard(face, aligned ? "The face" : `Face ${index + 1}`, model);
    cards.append(section);
    if (groups[index]) link(groups[index], section);
  });
  if (photo.faces.length === 0) {
    cards.append(element("p", { className: "none" }, "No face was found. Faces should be upright, at least 20 pixels or "
      + "so wide, and seen from the front or half from the side."));
  }
  card.append(element("div", { className: "result" }, element("div", { className: "shown" }, picture), cards));
}

/** Draws box, number and landmarks of each face over a photo; gives a group for each. */
function boxes(picture, photo) {
  const frame = drawn("svg", { viewBox: `0 0 ${photo.width} ${photo.height}`, "aria-hidden": "true" });
  const unit = Math.max(photo.width, photo.height) / 340; // about a pixel of the page
  const groups = photo.faces.map(({ face }, index) => {
    const [left, top, right, bottom] = face.box;
    const group = drawn("g");
    group.append(
      drawn("rect", { class: "box", x: left, y: top, width: right - left, height: bottom - top }),
    );
    const r = Math.max((right - left) / 40, 1.8 * unit);
    for (const [cx, cy] of face.landmarks) group.append(drawn("circle", { cx, cy, r }));
    if (photo.faces.length > 1) {
      const side = 15 * unit;
      const [x, y] = [Math.max(left, 0), Math.max(top - side, 0)];
      group.append(drawn("rect", { class: "tag", x, y, width: side, height: side }));
      const number = drawn("text", { class: "number", x: x + side / 2, y: y + 0.78 * side }, index + 1);
      number.style.fontSize = `${0.8 * side}px`;
      group.append(number);
    }
    frame.append(group);
    return group;
  });
  picture.append(frame);
  return groups;
}

/** Lights a box up while its card is pointed at or in use, and scrolls to the card from the box. */
function link(group, card) {
  const light = (on) => group.classList.toggle("lit", on);
  for (const name of ["pointerenter", "focusin"]) card.addEventListener(name, () => light(true));
  for (const name of ["pointerleave", "focusout"]) card.addEventListener(name, () => light(false));
  group.addEventListener("click", () => card.scrollIntoView({ behavior: "smooth", block: "nearest" }));
}

function faceCard(answer, title, model) {
  const { face } = answer;
  const facts = face ? ` ${Math.round(face.box[2] - face.box[0])} × ${Math.round(face.box[3] - face.box[1])} pixels, `
    + `score ${face.score.toFixed(2)}` : "";
  const heading = element("h3", {}, title, element("small", {}, facts));
  return element("section", { className: "face-card" }, heading, looks(answer, title), bars(answer, model));
}

/** The aligned face, and a switch and an opacity for each attention map over it. */
function looks(answer, title) {
  const crop = element("div", { className: "crop" });
  crop.append(element("img", { src: answer.crop, alt: `${title}, aligned as the network sees it` }));
  const levels = element("fieldset", { className: "levels" }, element("legend", {}, "Where the network looks"));
  answer.attention.forEach(({ size, low, high, picture }, index) => {
    const map = element("img", { className: "level", src: picture, alt: "", hidden: true });
    const name = `Level ${index + 1}`;
    const shown = element("input", { type: "checkbox" });
    const opacity = element("input", { type: "range", min: 0, max: 100, value: START_OPACITY, ariaLabel: `${name}, opacity in per cent` });
    const value = element("output");
    const update = () => {
      map.hidden = !shown.checked;
      map.style.opacity = opacity.value / 100;
      value.textContent = `${opacity.value} %`;
      crop.classList.toggle("mapped", crop.querySelector(".level:not([hidden])") !== null);
    };
    shown.addEventListener("change", update);
    opacity.addEventListener("input", () => {
      shown.checked = true;
      update();
    });
    crop.append(map);
    const label = element("span", {}, `${name} · ${LEVELS[Math.min(index, LEVELS.length - 1)]}`,
      element("small", {}, `${size}×${size}, ${low.toFixed(2)} to ${high.toFixed(2)}`));
    levels.append(element("div", {}, element("label", { className: "option" }, shown, label), opacity, value));
    update();
  });
  return element("div", { className: "looks" }, crop, ...(answer.attention.length ? [levels] : []));
}

/** A bar for each attribute: those present, and the others folded away. */
function bars(answer, model) {
  const present = new Set(answer.attributes);
  const ranked = Object.entries(answer.probabilities).sort(([, a], [, b]) => b - a);
  const list = (items) => (items.length
    ? element("ul", {}, ...items.map(([name, probability]) => bar(name, probability, model.thresholds[name])))
    : element("p", { className: "none" }, "none"));
  const above = ranked.filter(([name]) => present.has(name));
  const below = ranked.filter(([name]) => !present.has(name));
  return element(
    "div",
    { className: "attributes" },
    element("section", { className: "present" }, element("h3", {}, "Present ", element("small", {}, above.length)), list(above)),
    element(
      "details",
      { className: "absent" },
      element("summary", {}, "Not present ", element("small", {}, below.length)),
      list(below),
    ),
  );
}

function bar(name, probability, threshold) {
  const filled = element("i");
  filled.style.width = `${100 * probability}%`;
  const mark = element("u");
  mark.style.left = `${100 * threshold}%`;
  const track = element("span", { className: "bar", ariaHidden: "true" }, filled, mark);
  const value = element("span", { className: "value" }, (100 * probability).toFixed(1), element("span", { className: "unit" }, " %"));
  return element("li", {}, element("span", { className: "name" }, name.replaceAll("_", " ")), track, value);
}
