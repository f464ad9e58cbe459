/** The build args that BuildKit sets by itself and that FROM may use without an ARG. */

/** Names of the automatic args of a platform. TARGETSTAGE is the stage that is built. */
export const PLATFORM_ARGS: ReadonlySet<string> = new Set(
  ['BUILD', 'TARGET'].flatMap((side) =>
    ['PLATFORM', 'OS', 'OSVERSION', 'ARCH', 'VARIANT'].map((part) => side + part),
  ),
).add('TARGETSTAGE');

/**
 * Their values when building on and for one platform.
 * @param platform `os/arch[/variant]`, e.g. `linux/arm/v7`
 */
export function platformArgs(platform: string, stage: string): Map<string, string> {
  const [os = '', arch = '', variant = ''] = platform.split('/');
  const values = new Map([['TARGETSTAGE', stage]]);
  for (const side of ['BUILD', 'TARGET']) {
    values.set(`${side}PLATFORM`, platform);
    values.set(`${side}OS`, os);
    values.set(`${side}OSVERSION`, '');
    values.set(`${side}ARCH`, arch);
    values.set(`${side}VARIANT`, variant);
  }
  return values;
}
