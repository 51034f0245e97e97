// systemd's side of a daemon: sockets that it opened, and telling it that the daemon is ready.
import { execFile } from "node:child_process";

type Environment = Readonly<Record<string, string | undefined>>;

/** How many sockets were passed (sd_listen_fds), the first of them as descriptor 3. */
export function inheritedSockets(environment: Environment): number {
  const count = Number(environment["LISTEN_FDS"] ?? 0);
  const pid = environment["LISTEN_PID"];
  const ours = pid === undefined || Number(pid) === process.pid;
  return ours && Number.isSafeInteger(count) && count > 0 && count < 1000 ? count : 0;
}

/** Does nothing where nobody waits for it. */
export function notifyReady(environment: Environment): void {
  notify(environment, "--ready");
}

/** The same of its end. */
export function notifyStopping(environment: Environment): void {
  notify(environment, "--stopping");
}

function notify(environment: Environment, what: string): void {
  if (!environment["NOTIFY_SOCKET"]) return;
  // Without the program systemd waits in vain, as it says in its own log.
  execFile("systemd-notify", [what, `--pid=${process.pid}`], () => {});
}
