// @ts-check
/** Dark or light, on pages that `page.js` does not run. */

const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (document.documentElement.dataset.theme ?? (prefersDark.matches ? "dark" : "light")) === "dark";
const button = document.getElementById("switch-theme");
const show = () => button?.setAttribute("aria-pressed", String(isDark()));

button?.addEventListener("click", () => {
  const theme = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  document.cookie = `theme=${theme}; path=/; max-age=31536000; samesite=strict`;
  show();
});
prefersDark.addEventListener("change", show);
show();
// On a phone the row of sections is wider than the window.
document.querySelector(".top nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
