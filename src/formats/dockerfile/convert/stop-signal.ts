// STOPSIGNAL: the signal that asks a container to end.
import { closest } from "../../../base/index.ts";
import type { StopSignalInstruction } from "../instructions/stop-signal.ts";
import type { Converter } from "./environment.ts";
import { dockerfileError } from "./problem.ts";

export const convertStopSignal: Converter<StopSignalInstruction> = (stage, { signal }) => {
  checkSignal(signal);
  stage.config.StopSignal = signal;
  stage.record(`STOPSIGNAL ${signal}`, false);
};

// Linux: signal(7), and the real-time signals by offset.
const names: readonly string[] = (
  "ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP TSTP " +
  "TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN RTMAX"
)
  .split(" ")
  .concat(
    Array.from({ length: 15 }, (_, n) => `RTMIN+${n + 1}`),
    Array.from({ length: 14 }, (_, n) => `RTMAX-${n + 1}`),
  );

function checkSignal(signal: string): void {
  if (/^[+-]?[0-9]+$/.test(signal)) {
    if (Number(signal) !== 0) return;
  } else if (names.includes(signal.toUpperCase().replace(/^SIG/, ""))) return;
  const near = closest(signal.toUpperCase().replace(/^SIG/, ""), names);
  throw dockerfileError(
    `invalid signal: ${signal}`,
    near === undefined ? "Write a name such as SIGTERM, or a number." : `Did you mean SIG${near}?`,
  );
}
