/* Light or dark: as the system has it, until the reader says otherwise. */

function stored(value) {
  try {
    if (value) localStorage.setItem("locbench-theme", value);
    return localStorage.getItem("locbench-theme");
  } catch { return null; }
}
function setTheme(theme) { document.documentElement.dataset.theme = theme; }

setTheme(stored() || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
document.getElementById("theme").addEventListener("click", () => {
  const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  setTheme(next);
  stored(next);
});
