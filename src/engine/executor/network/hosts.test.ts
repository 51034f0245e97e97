import { expect, it } from "vitest";
import { hostsFile, resolveGateway } from "./hosts.ts";

it("writes loopback, the step's own name, and what the build adds", () => {
  expect(hostsFile("box", [{ host: "db", ip: "10.0.0.7" }])).toBe(
    "127.0.0.1\tlocalhost box\n::1\tlocalhost ip6-localhost ip6-loopback\n10.0.0.7\tdb\n",
  );
});

it("puts the machine's address in the place of host-gateway", () => {
  const hosts = [
    { host: "me", ip: "host-gateway" },
    { host: "db", ip: "10.0.0.7" },
  ];
  expect(resolveGateway(hosts, "10.213.0.1")).toEqual([{ host: "me", ip: "10.213.0.1" }, hosts[1]]);
  expect(() => resolveGateway(hosts, undefined)).toThrow("me is to be the machine");
  expect(resolveGateway(hosts.slice(1), undefined)).toEqual(hosts.slice(1));
});
