// Which tests run where: fast pure ones, the rooms' gate, the neighbours' cases, and the real thing end to end.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["src/**/*.test.ts", "test/contract/**/*.test.ts", "test/golden/**/*.test.ts"],
          testTimeout: 30_000,
        },
      },
      { test: { name: "architecture", include: ["test/architecture.test.ts"] } },
      {
        test: {
          name: "conformance",
          include: ["test/conformance/**/*.test.ts"],
          testTimeout: 120_000,
        },
      },
      {
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
