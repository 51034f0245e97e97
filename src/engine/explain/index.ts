// Why steps were not cached: what is remembered of earlier builds, and how a build differs from them.
export { BuildExplainer } from "./build-explainer.ts";
export { openStepHistory, type StepHistory } from "./step-history.ts";
