/** The plan as plain JSON for people and scripts; what files hold is left out, and so are the values of secrets. */
import { writeDuration } from '../core/duration.js';
import type { Plan } from '../core/plan.js';

/** Keys are spelt as in the build file. Secrets show where their values come from, never the values. */
export function describePlan(plan: Plan): object {
  return {
    file: plan.file,
    work_directory: plan.workDirectory,
    version: plan.version,
    steps: plan.steps.map((step) => ({
      label: step.label,
      image: step.imageName,
      keep: step.keep,
      depends_on: [...step.dependsOn],
      context: step.context,
      dockerfile: step.dockerfile.path,
      uses: [...new Set(step.dockerfile.references.map(({ label }) => label))],
      ...(step.target !== undefined && { target: step.target }),
      // Pairs, because JSON.parse and scripts trip over a key "__proto__".
      args: Object.entries(step.args).map(([name, value]) => ({ name, value })),
      no_cache: step.noCache,
      artifacts: step.artifacts.map(({ source, destination }) => ({
        source,
        destination: destination || '.',
      })),
      base: { ...step.base },
      ...(step.cleanup !== undefined && { cleanup: { ...step.cleanup } }),
      ...(step.squash !== undefined && { squash: { from: step.squash } }),
      secrets: step.secrets.map(({ name, type, value }) => ({ name, type, value })),
      ssh: step.ssh.map(({ id, sources }) => ({ id, sources: [...sources] })),
      ...(step.command !== undefined && { command: step.command }),
      ...(step.commandCache && { command_cache: true }),
      ...(step.afterBuildCommand !== undefined && { after_build_command: step.afterBuildCommand }),
      ...(step.timeoutMs !== undefined && { timeout: writeDuration(step.timeoutMs) }),
    })),
  };
}
