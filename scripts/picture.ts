// Records a command in a terminal as a moving picture: `tsx scripts/picture.ts [--still] OUT.svg COLUMNS ROWS COMMAND...`. Needs tmux.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";

const still = process.argv[2] === "--still";
const [out, columns, rows, ...command] = process.argv.slice(still ? 3 : 2);
if (!out || !columns || !rows || command.length === 0) {
  process.stderr.write("usage: tsx scripts/picture.ts [--still] OUT.svg COLUMNS ROWS COMMAND...\n");
  process.exit(2);
}

interface Frame {
  readonly atMs: number;
  readonly text: string;
}

const cell = { width: 8.4, height: 18 };
const margin = 16;
/** How long the last frame stands before the picture begins again. */
const restMs = 4000;
const colors: Readonly<Record<string, string>> = {
  31: "#ff7b72",
  32: "#7ee787",
  33: "#e3b341",
  34: "#79c0ff",
  36: "#76e3ea",
};

const frames = record();
// The end alone, under the words that were typed.
const typed = (text: string) => `$ ${command.join(" ")}\n${text}`;
const last = frames.slice(-1).map(({ text }) => ({ atMs: 0, text: typed(text) }));
writeFileSync(out, draw(still ? last : frames, Number(columns)));

/** What the terminal shows, each time it shows something else, from start to end. */
function record(): Frame[] {
  const tmux = (...args: string[]) =>
    execFileSync("tmux", ["-u", "-L", "picture", "-f", "/dev/null", ...args], { encoding: "utf8" });
  const words = command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
  const script = `env LANG=C.UTF-8 ${words}; tmux -L picture wait-for -S over; exec sleep 1000`;
  tmux("new-session", "-d", "-s", "one", "-x", String(columns), "-y", String(rows), script);
  const frames: Frame[] = [];
  const started = performance.now();
  const shoot = () => {
    const text = tmux("capture-pane", "-e", "-p", "-t", "one").trimEnd();
    if (text !== frames.at(-1)?.text && text !== "")
      frames.push({ atMs: performance.now() - started, text });
  };
  for (let unchanged = 0; unchanged < 20; ) {
    const before = frames.length;
    shoot();
    unchanged = frames.length === before && frames.length > 0 ? unchanged + 1 : 0;
    execFileSync("sleep", ["0.05"]);
  }
  tmux("kill-server");
  return frames;
}

/** All frames on top of each other, each visible in its time. */
function draw(frames: readonly Frame[], width: number): string {
  const height = Math.max(...frames.map(({ text }) => text.split("\n").length));
  const first = frames[0]?.atMs ?? 0;
  const total = (frames.at(-1)?.atMs ?? 0) - first + restMs;
  const share = (ms: number) => (((ms - first) / total) * 100).toFixed(2);
  const [w, h] = [Math.ceil(width * cell.width + 2 * margin), height * cell.height + 2 * margin];
  const style = (frames.length > 1 ? frames : []).map((frame, at) => {
    const next = frames[at + 1];
    const end = next ? `${share(next.atMs)}%{visibility:hidden}` : "";
    return `@keyframes k${at}{0%{visibility:hidden}${share(frame.atMs)}%{visibility:visible}${end}}#f${at}{visibility:hidden;animation:k${at} ${(total / 1000).toFixed(2)}s step-end infinite}`;
  });
  const groups = frames.map((frame, at) => `<g id="f${at}">${lines(frame.text)}</g>`);
  return `<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" viewBox="0 0 ${w} ${h}" font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,monospace" font-size="14" fill="#d5d9e0">
<style>${style.join("\n")}text{white-space:pre}</style>
<rect width="${w}" height="${h}" rx="8" fill="#16191f"/>
${groups.join("\n")}
</svg>
`;
}

function lines(text: string): string {
  return text
    .split("\n")
    .map(
      (line, at) =>
        `<text x="${margin}" y="${margin + (at + 0.8) * cell.height}">${spans(line)}</text>`,
    )
    .join("");
}

/** Text with colour sequences as tspans, each at its own column so that fonts cannot shift it. */
function spans(line: string): string {
  let [look, column, drawn] = ["", 0, ""];
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are made of them.
  for (const [, sequence, text = ""] of line.matchAll(/\u001b\[([0-9;]*)m|([^\u001b]+)/g)) {
    if (sequence !== undefined) look = restyle(look, sequence);
    const begin = text.length - text.trimStart().length;
    const x = (margin + (column + begin) * cell.width).toFixed(1);
    if (text.trim() !== "") drawn += `<tspan x="${x}"${look}>${escapeText(text.trim())}</tspan>`;
    column += text.length;
  }
  return drawn;
}

function restyle(look: string, sequence: string): string {
  return sequence.split(";").reduce((now, code) => {
    if (code === "" || code === "0") return "";
    if (code === "1") return `${now} font-weight="bold"`;
    if (code === "2") return `${now} opacity="0.6"`;
    if (code === "22") return now.replace(/ (font-weight="bold"|opacity="0.6")/g, "");
    if (code === "39") return now.replace(/ fill="[^"]*"/, "");
    return colors[code] ? `${now.replace(/ fill="[^"]*"/, "")} fill="${colors[code]}"` : now;
  }, look);
}

function escapeText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
