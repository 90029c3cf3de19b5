// Light, dark, or as the system has it. No module, since it must act before the first paint.

(() => {
  const root = document.documentElement;
  const NAME = "harmgauge-theme";
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const shown = () => root.dataset.theme ?? (dark.matches ? "dark" : "light");

  let stored = null;
  try {
    stored = localStorage.getItem(NAME);
  } catch {
    // Storage is switched off: the system decides.
  }
  if (stored === "light" || stored === "dark") root.dataset.theme = stored;

  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const label = () => button.setAttribute("aria-pressed", String(shown() === "dark"));
    label();
    dark.addEventListener("change", label);
    button.addEventListener("click", () => {
      root.dataset.theme = shown() === "dark" ? "light" : "dark";
      label();
      try {
        localStorage.setItem(NAME, root.dataset.theme);
      } catch {
        // It holds until the page is left.
      }
    });
  });
})();
