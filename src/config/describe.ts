/** The plan as plain JSON for people and scripts; what files hold is left out, and so are the values of secrets. */
import { writeDuration } from '../core/duration.js';
import type { Plan, PlannedStep } from '../core/plan.js';

/** Keys are spelt as in the build file. Secrets show where their values come from, never the values. */
export function describePlan(plan: Plan): object {
  return {
    file: plan.file,
    work_directory: plan.workDirectory,
    version: plan.version,
    steps: plan.steps.map(describeStep),
  };
}

/** What is undefined is not written. */
function describeStep(step: PlannedStep): object {
  return {
    label: step.label,
    image: step.imageName,
    keep: step.keep,
    depends_on: step.dependsOn,
    context: step.context,
    dockerfile: step.dockerfile.path,
    uses: [...new Set(step.dockerfile.references.map(({ label }) => label))],
    target: step.target,
    // Pairs, because JSON.parse and scripts trip over a key "__proto__".
    args: Object.entries(step.args).map(([name, value]) => ({ name, value })),
    no_cache: step.noCache,
    artifacts: step.artifacts.map(({ source, destination }) => ({ source, destination: destination || '.' })),
    base: step.base,
    cleanup: step.cleanup,
    squash: step.squash && { from: step.squash },
    secrets: step.secrets.map(({ name, type, value }) => ({ name, type, value })),
    ssh: step.ssh.map(({ id, sources }) => ({ id, sources })),
    command: step.command,
    command_cache: step.commandCache || undefined,
    after_build_command: step.afterBuildCommand,
    timeout: step.timeoutMs === undefined ? undefined : writeDuration(step.timeoutMs),
  };
}
