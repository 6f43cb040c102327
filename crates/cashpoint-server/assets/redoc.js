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

refuseImagesFromElsewhere();
Redoc.init(
  "/openapi.json",
  {
    nativeScrollbars: true,
    theme: {
      colors: { primary: { main: "#0b6b4a" } },
      // The fonts of the page's own machine: ReDoc's are not on it.
      typography: {
        fontFamily: "system-ui, sans-serif",
        headings: { fontFamily: "system-ui, sans-serif" },
        code: { fontFamily: "ui-monospace, monospace" },
      },
    },
  },
  document.getElementById("redoc"),
);
