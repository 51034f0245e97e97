// What a daemon tells at its debug address, page by page.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Call } from "../../base/index.ts";
import { type Figures, metrics } from "./figures.ts";

const plain = "text/plain; charset=utf-8";

/** Seconds that a profile takes where nobody says, and at most. */
const usualSeconds = 30;
const mostSeconds = 300;

interface Asked {
  readonly query: URLSearchParams;
  readonly figures: Figures;
  /** Ends with the connection. */
  readonly call: Call;
}

type Page = (asked: Asked) => Promise<Answer> | Answer;

export interface Answer {
  readonly status?: number;
  readonly type: string;
  readonly body: string | Uint8Array;
}

const pages: Readonly<Record<string, { readonly about: string; readonly page: Page }>> = {
  "/metrics": {
    about: "counts, for Prometheus",
    page: ({ figures }) => ({
      type: "text/plain; version=0.0.4; charset=utf-8",
      body: metrics(figures),
    }),
  },
  "/debug/vars": { about: "counts and memory, as JSON", page: variables },
  "/debug/gc": {
    about: "collects garbage now",
    page: () => {
      collectGarbage();
      return { type: plain, body: "" };
    },
  },
  "/debug/pprof/": { about: "which profiles there are", page: () => index("/debug/pprof/") },
  "/debug/pprof/cmdline": {
    about: "the command line",
    page: () => ({ type: plain, body: process.argv.join("\0") }),
  },
  "/debug/pprof/profile": {
    about: `what runs in the next ?seconds=${usualSeconds}`,
    page: (asked) => profiled("profile", asked),
  },
  "/debug/pprof/heap": {
    about: `what is allocated in the next ?seconds=${usualSeconds} and not let go`,
    page: (asked) => profiled("heap", asked),
  },
};

/** What is answered to one request. `url` is its path, with the query. */
export async function answerPage(url: string, figures: Figures, call: Call): Promise<Answer> {
  const { pathname, searchParams: query } = new URL(url, "http://debug");
  const path = pathname === "/debug/pprof" ? "/debug/pprof/" : pathname;
  const found = Object.hasOwn(pages, path) ? pages[path] : undefined;
  return found ? await found.page({ query, figures, call }) : notFound();
}

function notFound(): Answer {
  return { ...index("/"), status: 404 };
}

function index(below: string): Answer {
  const lines = Object.entries(pages).filter(([path]) => path.startsWith(below));
  return { type: plain, body: lines.map(([path, { about }]) => `${path}  ${about}\n`).join("") };
}

function variables({ figures }: Asked): Answer {
  const memstats = process.memoryUsage();
  const kiln = { ...figures, uptime: process.uptime() };
  const body = JSON.stringify({ cmdline: process.argv, memstats, kiln }, undefined, 1);
  return { type: "application/json; charset=utf-8", body: `${body}\n` };
}

function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
}

async function profiled(kind: "profile" | "heap", { query, call }: Asked): Promise<Answer> {
  const text = query.get("seconds") ?? String(usualSeconds);
  const seconds = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (seconds < 1 || seconds > mostSeconds)
    return { status: 400, type: plain, body: `seconds must be 1 to ${mostSeconds}\n` };
  const { takeCpuProfile, takeHeapProfile } = await import("./profiling.ts");
  const take = kind === "heap" ? takeHeapProfile : takeCpuProfile;
  const body = await take(seconds * 1000, call);
  if (body) return { type: "application/octet-stream", body };
  return { status: 409, type: plain, body: "another profile is being taken\n" };
}
