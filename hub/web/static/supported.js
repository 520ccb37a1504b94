// Tells GOV.UK Frontend's styles, before anything is drawn, that its script will run. A file of its own, because
// the Content-Security-Policy allows nothing inline.
document.body.classList.add("js-enabled");
if ("noModule" in HTMLScriptElement.prototype) {
  document.body.classList.add("govuk-frontend-supported");
}
