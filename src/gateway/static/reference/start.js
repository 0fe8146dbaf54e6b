// Opens the API reference of the audience named on the page.
"use strict";
const audience = document.documentElement.dataset.audience;
SwaggerUIBundle({
  url: `/openapi/${audience}.json`,
  dom_id: "#reference",
  deepLinking: true,
  validatorUrl: null,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  persistAuthorization: false,
});
