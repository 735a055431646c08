// The scoreboard's filters. What is chosen stands in the address after the #, so that a view can be kept and sent.
(() => {
  const form = document.getElementById("scoreboard-filters");
  const lines = [...document.querySelectorAll("#scoreboard tbody tr")];
  const count = document.getElementById("scoreboard-count");
  const boxes = [...form.querySelectorAll("input")];
  const groups = [...new Set(boxes.map((box) => box.name))];

  // Within a group any chosen value will do; a group without a choice lets everything through.
  function show() {
    const chosen = Object.fromEntries(
      groups.map((group) => [group, boxes.filter((b) => b.name === group && b.checked).map((b) => b.value)]),
    );
    const fits = (line) =>
      groups.every((group) => !chosen[group].length || chosen[group].includes(line.dataset[group]));
    for (const line of lines) line.hidden = !fits(line);
    const shown = lines.filter((line) => !line.hidden).length;
    count.textContent = `${shown} of ${lines.length} claims shown`;
  }

  function write() {
    const chosen = new URLSearchParams(boxes.filter((b) => b.checked).map((b) => [b.name, b.value]));
    history.replaceState(null, "", chosen.size ? `#${chosen}` : location.pathname + location.search);
  }

  // A # of the page itself, such as the link to its content, chooses nothing.
  function read() {
    const asked = new URLSearchParams(location.hash.slice(1));
    if (location.hash && !groups.some((group) => asked.has(group))) return;
    for (const box of boxes) box.checked = asked.getAll(box.name).includes(box.value);
  }

  form.addEventListener("change", () => {
    show();
    write();
  });
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    for (const box of boxes) box.checked = false;
    show();
    write();
  });
  addEventListener("hashchange", () => {
    read();
    show();
    form.scrollIntoView();
  });
  form.hidden = false;
  read();
  show();
})();
