// Every page works without this. It opens the menu on narrow screens, counts characters, reveals the fields of a
// chosen radio button, shows a typed password and moves the focus to the error summary.
import { initAll } from "./govuk/govuk-frontend.min.js";

initAll();
