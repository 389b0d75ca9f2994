// Serves a folder on this machine, opens a page of it in Chromium, runs the file there, and compares.
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { chromium } from "playwright-core";

const [folder, executablePath] = process.argv.slice(2);
const files = JSON.parse(await readFile(join(folder, "files.json")));
const types = { ".html": "text/html", ".mjs": "text/javascript", ".js": "text/javascript", ".wasm": "application/wasm" };
const server = createServer(async (request, response) => {
  if (request.url === "/") return response.setHeader("content-type", "text/html").end("<!doctype html><title>sklkd</title>");
  try {
    const content = await readFile(join(folder, request.url.split("?")[0]));
    response.setHeader("content-type", types[extname(request.url)] ?? "application/octet-stream").end(content);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));

// without these Chromium looks for hosts of its own, which a closed network refuses
const quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"];
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu", ...quiet] });
const page = await browser.newPage();
await page.goto(`http://127.0.0.1:${server.address().port}/`);
const run = async (name) => {
  const ort = await import("/ort.wasm.min.mjs");
  ort.env.wasm.numThreads = 1;
  const { inputs, probabilities, labels } = await (await fetch(`/${name}.json`)).json();
  const session = await ort.InferenceSession.create(`/${name}.onnx`);
  const arrays = { float32: Float32Array, float64: Float64Array };
  const feeds = (from, to) =>
    Object.fromEntries(
      Object.entries(inputs).map(([input, { dtype, width, cells }]) => {
        const some = cells.slice(from * width, to * width);
        // JSON has no NaN
        const data = dtype === "string" ? some : arrays[dtype].from(some, (cell) => cell ?? NaN);
        return [input, new ort.Tensor(dtype, data, [to - from, width])];
      }),
    );
  const got = await session.run(feeds(0, labels.length));
  const difference = Math.max(...probabilities.flat().map((value, i) => Math.abs(value - got.probabilities.data[i])));
  const same = labels.filter((label, i) => String(got.label.data[i]) === String(label)).length;
  const one = feeds(0, 1);
  let microseconds = Infinity;
  for (let round = 0; round < 20; round++) {
    const start = performance.now();
    for (let i = 0; i < 100; i++) await session.run(one);
    microseconds = Math.min(microseconds, (performance.now() - start) * 10);
  }
  return { rows: labels.length, difference, same, microseconds };
};
console.log(`Chromium ${await browser.version()}`);
for (const name of files) console.log(name, JSON.stringify(await page.evaluate(run, name)));
await browser.close();
server.close();
