// The proxy of one build: what all of its steps have in common, and one server for each.
import type { Call, KilnError } from "../../base/index.ts";
import type { StepProxy } from "../executor/index.ts";
import type { ProxyAuthority } from "./authority.ts";
import { Capture, type Fetched } from "./capture.ts";
import type { Judge } from "./target.ts";

export interface BuildProxyParts {
  /** What the build's source policy makes of a URL; throws `SOURCE_DENIED`. */
  readonly judge: Judge;
  readonly now: () => Date;
}

/** For one process. */
export interface ProcessProxy extends StepProxy {
  /** What is told of its requests in its log, once it has ended; undefined where there were none. */
  readonly summary: string | undefined;
  readonly fetched: Fetched;
  /** Throws `CHECKSUM_MISMATCH` where something came that a policy does not let pass, even if the process did not mind. */
  check(): void;
}

export interface BuildProxy {
  forProcess(): Promise<ProcessProxy>;
}

/** Nothing is loaded and no key is made before the first process asks. */
export function createBuildProxy({ judge, now }: BuildProxyParts): BuildProxy {
  let authority: ProxyAuthority | undefined;
  return {
    async forProcess() {
      const [{ ProxyAuthority }, { serveStep }] = await Promise.all([
        import("./authority.ts"),
        import("./server.ts"),
      ]);
      authority ??= new ProxyAuthority(now);
      const signer = authority;
      const capture = new Capture();
      const broken: KilnError[] = [];
      return {
        authority: signer.pem,
        serve: (listener, egress) =>
          serveStep({ fd: listener }, egress, {
            authority: signer,
            capture,
            judge: (source, call: Call) => judge(source, call),
            onBroken: (error) => void broken.push(error),
          }),
        get summary() {
          return capture.summary;
        },
        get fetched() {
          return capture.fetched;
        },
        check() {
          const [first] = broken;
          if (first) throw first;
        },
      };
    },
  };
}
