// Leave out of a style sheet what is used nowhere: {"css": text, "words": text} in, CSS out.
const { PurgeCSS } = require(process.argv[2] + "/purgecss");
const input = JSON.parse(require("fs").readFileSync(0, "utf8"));

new PurgeCSS()
  .purge({
    content: [{ raw: input.words, extension: "html" }],
    css: [{ raw: input.css }],
    dynamicAttributes: ["data-theme", "data-mode", "data-ready"], // set by scripts, as are the classes of sliders
    safelist: { greedy: [/^(widget|jupyter|jp-|lm-|noUi)/] },
  })
  .then(([result]) => process.stdout.write(result.css))
  .catch((error) => {
    process.stderr.write(String(error.stack || error));
    process.exit(1);
  });
