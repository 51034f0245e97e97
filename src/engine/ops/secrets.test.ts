// SSH agents of steps: one that is not needed stops no step, whatever the asking side says of it.
import { expect, it } from "vitest";
import type { Session } from "../../api/index.ts";
import { KilnError, uncancelled } from "../../base/index.ts";
import type { ExecMount } from "../../formats/llb/index.ts";
import { secretEnvironment, socketFromAgent } from "./secrets.ts";

const wanting = (optional: boolean) =>
  ({
    target: "/agent",
    ssh: { id: "other", mode: 0o600, uid: 0, gid: 0, optional },
  }) as ExecMount;
const refusing = {
  ssh: () => Promise.reject(new KilnError("REMOTE_FAILED", "unset ssh forward key other")),
} as unknown as Session;
const offeringNone = { ssh: () => Promise.resolve(undefined) } as unknown as Session;

it("goes without an agent that is not needed", async () => {
  for (const session of [refusing, offeringNone])
    expect(await socketFromAgent(wanting(true), session, uncancelled)).toBeUndefined();
});

it("says why there is none that is needed", async () => {
  const ask = (session: Session) => socketFromAgent(wanting(false), session, uncancelled);
  await expect(ask(refusing)).rejects.toThrow("unset ssh forward key other");
  await expect(ask(offeringNone)).rejects.toThrow('no SSH agent "other" was offered');
});

it("shows an optional secret that was not given as an empty variable", async () => {
  const none = { secret: () => Promise.resolve(undefined) } as unknown as Session;
  const ask = (optional: boolean) =>
    secretEnvironment({ secretEnv: [{ id: "i", name: "S", optional }] }, none, uncancelled);
  expect(await ask(true)).toEqual(["S="]);
  await expect(ask(false)).rejects.toThrow("secret i: not found");
});
