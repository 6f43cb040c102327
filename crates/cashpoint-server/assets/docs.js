// Shows /openapi.json in Swagger UI, which has a dark dress but does not put it on by itself.

const prefersDark = matchMedia("(prefers-color-scheme: dark)");

function dress() {
  document.documentElement.classList.toggle("dark-mode", prefersDark.matches);
}

prefersDark.addEventListener("change", dress);
dress();

SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  // Its badge would have a server elsewhere check the description.
  validatorUrl: null,
});
