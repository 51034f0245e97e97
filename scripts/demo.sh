#!/bin/sh
# Sets up what the demo needs, then runs it: `npm run demo`.
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh
exec node_modules/.bin/tsx scripts/demo.ts "$@"
