// Bundles CodeMirror and uPlot for the page, and axe for its tests, each with the licences of all that is in it.
import { build } from "esbuild";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

const here = import.meta.dirname;
const root = resolve(here, "../..");
const page = join(root, "pipeline/studio/page/vendor");
const tests = join(root, "tests/studio/vendor");
for (const folder of [page, tests]) mkdirSync(folder, { recursive: true });

/** The packages whose files are in a bundle. */
function packages(metafile) {
  const names = Object.keys(metafile.inputs).map((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1]);
  return [...new Set(names.filter(Boolean))].sort();
}

/** Who made a package, and under which licence. */
function licence(name) {
  const folder = join(here, "node_modules", name);
  const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = ["LICENSE", "LICENSE.md", "LICENSE.txt"].map((each) => join(folder, each)).find(existsSync);
  if (file === undefined) throw new Error(`${name} ${version} comes without a licence`);
  return `${name} ${version}\n\n${readFileSync(file, "utf8").trim()}\n`;
}

async function bundle(entry, out) {
  const { metafile } = await build({
    entryPoints: [join(here, entry)],
    absWorkingDir: here,
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    legalComments: "none",
    metafile: true,
    outfile: join(page, out),
  });
  const rule = `\n${"-".repeat(72)}\n\n`;
  writeFileSync(join(page, out.replace(".js", ".LICENSES.txt")), packages(metafile).map(licence).join(rule));
}

await bundle("codemirror.mjs", "codemirror.js");
await bundle("uplot.mjs", "uplot.js");
copyFileSync(join(here, "node_modules/uplot/dist/uPlot.min.css"), join(page, "uplot.css"));
copyFileSync(join(here, "node_modules/axe-core/axe.min.js"), join(tests, "axe.min.js"));
writeFileSync(join(tests, "axe.LICENSE.txt"), licence("axe-core"));
