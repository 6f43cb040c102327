// Shows /openapi.json in ReDoc.

const NO_IMAGE = "data:,";

/** The address of an image, if it is of this service. */
function own(address) {
  return new URL(address, location.href).origin === location.origin ? address : NO_IMAGE;
}

/**
 * Makes images from elsewhere fail.
 *
 * ReDoc puts a logo from its maker's server beside its attribution, and has no option against it; it
 * takes the logo away by itself where that fails. The page's policy would stop it too, but not quietly.
 */
function refuseImagesFromElsewhere() {
  const image = HTMLImageElement.prototype;
  const { get, set } = Object.getOwnPropertyDescriptor(image, "src");
  Object.defineProperty(image, "src", {
    get,
    set(address) {
      set.call(this, own(address));
    },
  });
  image.setAttribute = function (name, value) {
    Element.prototype.setAttribute.call(this, name, name === "src" ? own(value) : value);
  };
}

// The colours of the console.
const LIGHT = {
  colors: { primary: { main: "#0b6b4a" } },
};
const DARK = {
  colors: {
    primary: { main: "#5fd0a0" },
    success: { main: "#5fd0a0" },
    error: { main: "#ff8f7e" },
    text: { primary: "#e4ede8", secondary: "#9db0a6" },
    border: { dark: "#2a3832", light: "#2a3832" },
    responses: {
      success: { color: "#5fd0a0", backgroundColor: "#132a20" },
      error: { color: "#ff8f7e", backgroundColor: "#2d1613" },
      redirect: { color: "#f3c969", backgroundColor: "#2b2412" },
      info: { color: "#87cefa", backgroundColor: "#12222e" },
    },
  },
  schema: { nestedBackground: "#0c1310", typeNameColor: "#e4ede8", typeTitleColor: "#e4ede8", linesColor: "#3f5a4e" },
  sidebar: { backgroundColor: "#0c1310", textColor: "#e4ede8" },
  rightPanel: { backgroundColor: "#09100d" },
  typography: { code: { color: "#8fd9b6" } },
};

const prefersDark = matchMedia("(prefers-color-scheme: dark)");

function show() {
  const theme = prefersDark.matches ? DARK : LIGHT;
  // The fonts of the page's own machine: ReDoc's are not on it.
  theme.typography = {
    fontFamily: "system-ui, sans-serif",
    headings: { fontFamily: "system-ui, sans-serif" },
    code: { ...theme.typography?.code, fontFamily: "ui-monospace, monospace" },
  };
  Redoc.init("/openapi.json", { nativeScrollbars: true, theme }, document.getElementById("redoc"));
}

refuseImagesFromElsewhere();
prefersDark.addEventListener("change", show);
show();
