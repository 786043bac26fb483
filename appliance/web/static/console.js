// The console works without any of this; with it, pages stay current and lists filter while one types.

import "./patch.js";
import { wireComeback } from "./comeback.js";
import { wireCopy } from "./copy.js";
import { openLive } from "./live.js";
import { wireChoosing } from "./choose.js";
import { countDown } from "./countdown.js";
import { drawCharts } from "./charts.js";
import { wireForms } from "./forms.js";
import { wireKeys } from "./keys.js";
import { wirePalette } from "./palette.js";
import { wireResume } from "./resume.js";
import { watchScreens } from "./screens.js";
import { wireUpload } from "./upload.js";
import { nameZone } from "./zone.js";

nameZone();
openLive();
drawCharts();
watchScreens();
wireKeys();
wireCopy();
wireComeback();
wirePalette();
wireForms();
wireChoosing();
wireResume();
wireUpload();
countDown();
document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
