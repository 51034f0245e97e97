import { expect, it } from "vitest";
import { chooseLink, chooseNetwork, defaultInterface, parseRoutes } from "./addresses.ts";

const header =
  "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";
const route = (name: string, destination: string, mask: string) =>
  `${name}\t${destination}\t00000000\t0001\t0\t0\t0\t${mask}\t0\t0\t0\n`;
const everywhere = route("eth0", "00000000", "00000000");

it("finds the interface that leads to everywhere", () => {
  const routes = parseRoutes(header + route("eth1", "0000FEC0", "00FFFFFF") + everywhere);
  expect(defaultInterface(routes)).toBe("eth0");
  expect(defaultInterface(parseRoutes(header))).toBeUndefined();
});

it.each([
  ["nothing else there", "", "10.213"],
  ["a part of it in use", route("tun0", "0005D50A", "00FFFFFF"), "172.30"],
  ["all around it in use", route("tun0", "0000000A", "000000FF"), "172.30"],
  ["a neighbour in use", route("tun0", "0000D60A", "0000FFFF"), "10.213"],
  ["other steps in it", route("kilnabc", "0400D50A", "FCFFFFFF"), "10.213"],
])("chooses a network for steps with %s", (_, lines, network) => {
  expect(chooseNetwork(parseRoutes(header + everywhere + lines), "kiln")).toBe(network);
});

it("gives each step a link that no other has", () => {
  const routes = parseRoutes(header + route("kilna", "0000D50A", "FCFFFFFF"));
  expect(chooseLink(routes, "10.213")).toEqual({
    gateway: "10.213.0.5",
    address: "10.213.0.6",
    prefix: 30,
  });
});
