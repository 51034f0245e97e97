#!/bin/sh
# Sets up what the tests need, then checks and tests everything: `npm test`. Arguments go to vitest.
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh
if [ $# -gt 0 ]; then exec node_modules/.bin/vitest run "$@"; fi
npm run --silent check
mkdir -p .kiln
status=0
node_modules/.bin/vitest run --project unit --project conformance --project e2e \
  --reporter=default --reporter=json --outputFile.json=.kiln/tests.json || status=$?
node -e '
  const report = JSON.parse(require("node:fs").readFileSync(".kiln/tests.json", "utf8"));
  const skipped = report.numPendingTests + report.numTodoTests;
  console.log(`${report.numPassedTests} passed, ${report.numFailedTests} failed` + (skipped ? `, ${skipped} skipped` : ""));
'
exit $status
