// Serves a folder on this machine, opens a page of it in Chromium, runs the file there, and compares.
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { chromium } from "playwright-core";

const [folder, executablePath] = process.argv.slice(2);
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

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const page = await browser.newPage();
await page.goto(`http://127.0.0.1:${server.address().port}/`);
const result = await page.evaluate(async () => {
  const ort = await import("/ort.wasm.min.mjs");
  ort.env.wasm.numThreads = 1;
  const { columns, expected, numbers } = await (await fetch("/rows.json")).json();
  const session = await ort.InferenceSession.create("/student.onnx");
  const feeds = (from, to) =>
    Object.fromEntries(
      Object.entries(columns).map(([name, all]) => {
        const cells = all.slice(from, to);
        if (name === "city") return [name, new ort.Tensor("string", cells, [cells.length, 1])];
        const Kind = numbers === "float64" ? Float64Array : Float32Array;
        return [name, new ort.Tensor(numbers, Kind.from(cells, (cell) => cell ?? NaN), [cells.length, 1])];
      }),
    );
  const { label, probabilities } = await session.run(feeds(0, expected.length));
  const flat = expected.flat();
  const difference = Math.max(...flat.map((value, i) => Math.abs(value - probabilities.data[i])));
  const one = feeds(0, 1);
  let best = Infinity;
  for (let round = 0; round < 20; round++) {
    const start = performance.now();
    for (let i = 0; i < 100; i++) await session.run(one);
    best = Math.min(best, (performance.now() - start) * 10);
  }
  return { rows: expected.length, difference, label: label.data[0], microseconds: best };
});
console.log(`${await browser.version()}:`, JSON.stringify(result));
await browser.close();
server.close();
