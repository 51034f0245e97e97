// The solver: jobs over one shared graph and one cache.
import { advisory } from "./advisory.ts";
import { SolverGraph } from "./graph.ts";
import { JobState } from "./job.ts";
import type { Solver, SolverOptions } from "./types.ts";

/**
 * Solves directed graphs of steps of any kind. Equal vertices run once among all jobs of this solver; what the cache has
 * is not run at all; what nobody waits for any more is stopped. Results live until the last job that uses them ends.
 */
export function createSolver<Def, Result>(
  options: SolverOptions<Def, Result>,
): Solver<Def, Result> {
  const around = { options, cache: advisory(options.cache), executing: new Map() };
  const graph = new SolverGraph<Def, Result>(around);
  return { job: (_id, emit, how = {}) => new JobState(graph, emit, options.now, how) };
}
