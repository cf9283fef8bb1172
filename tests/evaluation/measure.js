// Run at the end of a page: puts whatever is wrong with it into #problems.
const problems = [];
const visible = (element) => element.getClientRects().length > 0;
const wide = document.documentElement.scrollWidth - window.innerWidth;
if (wide > 0) problems.push(`page is ${wide} pixels too wide`);
const images = [...document.images].filter(visible);
if (images.length < 3) problems.push(`${images.length} pictures`);
for (const image of document.images) {
  if (!image.alt) problems.push("a picture without words");
  if (!image.naturalWidth) problems.push(`${image.alt}: is not drawn`);
}
for (const image of images) if (image.width < image.naturalWidth - 1) problems.push(`${image.alt}: is shrunk`);
for (const element of document.querySelectorAll("h1, h2, p, li, dt, dd, figcaption, td, th, a, label, pre, summary")) {
  if (!visible(element)) continue;
  const name = element.textContent.slice(0, 40);
  if (parseFloat(getComputedStyle(element).fontSize) < 10) problems.push(`${name}: too small`);
  const box = element.getBoundingClientRect();
  if (!element.closest(".wide") && box.right > window.innerWidth + 1) problems.push(`${name}: is cut off`);
  if (element.scrollWidth > element.clientWidth + 1 && element.clientWidth) problems.push(`${name}: is cut`);
}
for (const table of document.querySelectorAll("table")) {
  const shown = () => [...table.tBodies[0].rows].filter((row) => !row.hidden);
  const numbers = (i) => shown().map((row) => parseFloat(row.cells[i].textContent.replace(/,/g, "")))
    .filter((value) => !Number.isNaN(value));
  [...table.tHead.rows[0].cells].forEach((head, i) => {
    if (head.classList.contains("text")) return;
    for (const sign of [1, -1]) {
      head.click();
      const found = numbers(i);
      if (found.some((value, k) => k && sign * (value - found[k - 1]) < 0)) problems.push(`${head.textContent}: not sorted`);
    }
  });
  const field = table.parentElement.previousElementSibling?.querySelector?.("input");
  if (!field) { if (table.tBodies[0].rows.length > 40) problems.push("a long table without search"); continue; }
  const ask = (words) => { field.value = words; field.dispatchEvent(new Event("input")); };
  const name = shown()[2].cells[0].textContent;
  ask(name.toLowerCase());
  if (!shown().every((row) => row.textContent.includes(name))) problems.push("search shows other rows");
  if (!shown().length) problems.push("search does not find");
  ask("no gene at all");
  if (shown().length) problems.push("search finds what is not there");
}
document.body.innerHTML = `<pre id="problems">${problems.join("\n")}</pre>`;
