/** Ways to leave a secret behind in an image, and harmless things that look like one. */
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { tar, type TarItem } from './image-tar.js';
import { zip } from './leak-zip.js';

/** The secrets of the zoo. */
export const TOKEN = 'npm_Zk3q9Xw7Lr2Tv8Bd5';
export const PASSWORD = 'p@ss "w/rd" & grüße';
/** Its base64 has characters that base64 for URLs has not, and so in any surroundings. */
export const MIXED = '>>>???>>>???~~~~';
const BODY = [
  'MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDhW7Ux3gqT0Zk1',
  'q8RmYc5nKpVb2sXwLJt6fGdEoHa9uCiMzN4vBxQyTjPrFsDeWgAhKlIkOoUbYnRc',
  'x7Zt',
];
export const KEY = ['-----BEGIN PRIVATE KEY-----', ...BODY, '-----END PRIVATE KEY-----', ''].join('\n');

export const SECRETS = [
  { name: 'token', value: Buffer.from(TOKEN) },
  { name: 'password', value: Buffer.from(PASSWORD) },
  { name: 'mixed', value: Buffer.from(MIXED) },
  { name: 'key', value: Buffer.from(KEY) },
];

/** What is in an image above its base; whatever is not said is harmless. */
export interface Animal {
  /** Layers above the base, the lowest first. */
  readonly layers?: readonly (readonly TarItem[])[];
  readonly config?: Readonly<Record<string, unknown>>;
  /** `created_by` of each layer above the base. */
  readonly history?: readonly string[];
  /** Layers of the base. */
  readonly base?: readonly TarItem[];
  readonly names?: readonly string[];
}

/** Where the proof is to find it: as text, e.g. `layer 2 srv/app.jar > META-INF/x (base64)`. */
export type Leak = Animal & { readonly found: readonly string[] };

export const file = (name: string, body: string | Buffer, more: Partial<TarItem> = {}): TarItem => ({
  name,
  type: '0',
  body: Buffer.from(body as string),
  ...more,
});

const base64 = (text: string | Buffer) => Buffer.from(text as string).toString('base64');
const wrapped = (text: string) => base64(text).replaceAll(/.{76}/g, '$&\n');
const env = (...lines: readonly string[]) => ({ config: { Env: ['PATH=/bin', ...lines] } });
const labels = (entries: Readonly<Record<string, string>>) => ({ config: { Labels: entries } });
const noise = Buffer.from(Array.from({ length: 5000 }, (_, index) => (index * 7919) & 0xff));
const long = `${'long-folder-name/'.repeat(8)}file`;

export const LEAKS: Readonly<Record<string, Leak>> = {
  'a file': {
    layers: [[file('root/.npmrc', `//registry/:_authToken=${TOKEN}\n`)]],
    found: ['token: layer 2 root/.npmrc (plain)'],
  },
  'a file that a later layer overwrites': {
    layers: [[file('key', TOKEN)], [file('key', 'nothing')]],
    found: ['token: layer 2 key (plain)'],
  },
  'a file that a later layer deletes': {
    layers: [[file('root/key', TOKEN)], [file('root/.wh.key', '')]],
    found: ['token: layer 2 root/key (plain)'],
  },
  'the last bytes of a large file': {
    layers: [[file('core', Buffer.concat([Buffer.alloc(300_000), Buffer.from(TOKEN)]))]],
    found: ['token: layer 2 core (plain)'],
  },
  'a file, over the border of two blocks': {
    layers: [[file('split', Buffer.concat([Buffer.alloc(500, 'x'), Buffer.from(TOKEN)]))]],
    found: ['token: layer 2 split (plain)'],
  },
  'an environment variable': {
    config: env(`NPM_TOKEN=${TOKEN}`),
    found: ['token: env NPM_TOKEN (plain)'],
  },
  'an environment variable, in base64': {
    config: env(`AUTH=${base64(`user:${PASSWORD}`)}`),
    found: ['password: env AUTH (base64)'],
  },
  'the ARG of a RUN in the history': {
    history: [`RUN |1 TOKEN=${TOKEN} /bin/sh -c npm ci`],
    found: ['token: history RUN |1 TOKEN=*** /bin/sh -c npm ci (plain)'],
  },
  'a label': {
    config: labels({ built: `with ${PASSWORD}` }),
    found: ['password: label built (plain)'],
  },
  "a label's name": {
    config: labels({ [`key.${TOKEN}`]: 'x' }),
    found: ['token: label key.*** (plain)'],
  },
  'the command': {
    config: { config: { Cmd: ['sh', '-c', `login --token ${TOKEN}`] } },
    found: ['token: config config.Cmd[2] (plain)'],
  },
  'the author': {
    config: { author: `me <${TOKEN}@example.org>` },
    found: ['token: config author (plain)'],
  },
  'the name of the image': {
    names: [`app:${TOKEN.toLowerCase()}`, `registry.example/app:${TOKEN}`],
    found: ['token: name registry.example/app:*** (plain)'],
  },
  'base64 in a config file': {
    layers: [[file('root/.docker/config.json', JSON.stringify({ auth: base64(`me:${TOKEN}`) }))]],
    found: ['token: layer 2 root/.docker/config.json (base64)'],
  },
  'base64 broken into lines': {
    layers: [[file('secret.yaml', wrapped(`apiVersion: v1\nkind: Secret\ndata: it is here\n${TOKEN}\n`))]],
    found: ['token: layer 2 secret.yaml (base64)'],
  },
  'base64 for URLs': {
    layers: [[file('jwt', Buffer.from(`x${MIXED}>>?`).toString('base64url'))]],
    found: ['mixed: layer 2 jwt (base64url)'],
  },
  'hex in a script': {
    layers: [[file('bin/run', `echo ${Buffer.from(TOKEN).toString('hex')} | xxd -r -p\n`)]],
    found: ['token: layer 2 bin/run (hex)'],
  },
  'a URL in a config file': {
    layers: [[file('root/.gitconfig', `url = https://me:${encodeURIComponent(PASSWORD)}@example.org/`)]],
    found: ['password: layer 2 root/.gitconfig (URL-encoded)'],
  },
  'JSON in a config file': {
    layers: [[file('app/config.json', JSON.stringify({ password: PASSWORD }))]],
    found: ['password: layer 2 app/config.json (JSON-escaped)'],
  },
  'UTF-16': {
    layers: [[file('settings.reg', Buffer.from(`"Token"="${TOKEN}"`, 'utf16le'))]],
    found: ['token: layer 2 settings.reg (UTF-16)'],
  },
  'a key with the line breaks of Windows': {
    layers: [[file('key.pem', KEY.replaceAll('\n', '\r\n'))]],
    found: [
      'key: layer 2 key.pem (line 2)',
      'key: layer 2 key.pem (line 3)',
      'key: layer 2 key.pem (other line breaks)',
    ],
  },
  'one line of a key': {
    layers: [[file('part', `  key: |\n    ${BODY[1] ?? ''}\n`)]],
    found: ['key: layer 2 part (line 3)'],
  },
  "a gzip'd log": {
    layers: [
      [file('var/log/build.log.1.gz', gzipSync(Buffer.concat([noise, Buffer.from(`token ${TOKEN}`)])))],
    ],
    found: ['token: layer 2 var/log/build.log.1.gz (plain)'],
  },
  'a jar': {
    layers: [
      [
        file(
          'srv/app.jar',
          zip([{ name: 'META-INF/x.properties', content: Buffer.from(`token=${TOKEN}`), sizes: 'after' }]),
        ),
      ],
    ],
    found: ['token: layer 2 srv/app.jar > META-INF/x.properties (plain)'],
  },
  'a tar in a tar': {
    layers: [[file('outer.tar', tar([file('inner.tar', tar([file('key', TOKEN)]))]))]],
    found: ['token: layer 2 outer.tar > inner.tar > key (plain)'],
  },
  'a tar.gz in a zip': {
    layers: [[file('all.zip', zip([{ name: 'in.tgz', content: gzipSync(tar([file('etc/key', TOKEN)])) }]))]],
    found: ['token: layer 2 all.zip > in.tgz > etc/key (plain)'],
  },
  'the name of a file': {
    layers: [[file(`tmp/${TOKEN}.lock`, '')]],
    found: ['token: layer 2 tmp/***.lock (plain)'],
  },
  'the name of a deleted file': {
    layers: [[file(`tmp/.wh.${TOKEN}`, '')]],
    found: ['token: layer 2 tmp/.wh.*** (plain)'],
  },
  'a long name, in PAX': {
    layers: [[file(`${long}-${TOKEN}`, '')]],
    found: [`token: layer 2 ${long}-*** (plain)`],
  },
  'a long name, as GNU tar has it': {
    layers: [[file(`${long}-${TOKEN}`, '', { form: 'gnu' })]],
    found: [`token: layer 2 ${long}-*** (plain)`],
  },
  'the target of a symlink': {
    layers: [[{ name: 'current', type: '2', linkname: `/srv/${TOKEN}` }]],
    found: ['token: layer 2 current (plain)'],
  },
  'the target of a hard link': {
    layers: [[file(`a-${TOKEN}`, 'x'), { name: 'b', type: '1', linkname: `a-${TOKEN}` }]],
    found: ['token: layer 2 a-*** (plain)', 'token: layer 2 b (plain)'],
  },
  'an extended attribute': {
    layers: [[file('tool', 'x', { xattrs: { 'user.token': TOKEN } })]],
    found: ['token: layer 2 tool (plain)'],
  },
  'the health check of the config, with escapes': {
    config: { config: { Healthcheck: { Test: ['CMD', 'probe', `--password=${PASSWORD}`] } } },
    found: ['password: config config.Healthcheck.Test[2] (plain)'],
  },
};

const reversed = (text: string) => Array.from(text).reverse().join('');

export const HARMLESS: Readonly<Record<string, Animal>> = {
  'the beginning of a secret': { layers: [[file('a', TOKEN.slice(0, 12))]] },
  'all but its last byte': { layers: [[file('a', TOKEN.slice(0, -1))]] },
  'all but its first byte': { layers: [[file('a', TOKEN.slice(1))]] },
  'a byte of it changed': { layers: [[file('a', `${TOKEN.slice(0, 8)}?${TOKEN.slice(9)}`)]] },
  'a blank in the midst of it': { layers: [[file('a', `${TOKEN.slice(0, 8)} ${TOKEN.slice(8)}`)]] },
  'a line break in the midst of it': { layers: [[file('a', `${TOKEN.slice(0, 14)}\n${TOKEN.slice(14)}`)]] },
  'its two halves in two files': {
    layers: [[file('a', TOKEN.slice(0, 10)), file('b', TOKEN.slice(10))]],
  },
  'its two halves in two layers': { layers: [[file('a', TOKEN.slice(0, 10))], [file('a', TOKEN.slice(10))]] },
  'its bytes in reverse': { layers: [[file('a', reversed(TOKEN))]] },
  'lower case': { layers: [[file('a', TOKEN.toLowerCase())]] },
  'upper case': { layers: [[file('a', TOKEN.toUpperCase())]] },
  'its digest': {
    layers: [[file('a', createHash('sha256').update(TOKEN).digest('hex'))]],
    config: labels({ digest: createHash('sha256').update(PASSWORD).digest('base64') }),
  },
  'its name': { layers: [[file('token', 'token')]], config: env('token=', 'password=password') },
  'its length': { config: env(`LENGTH=${TOKEN.length}`) },
  'base64 of all but its last bytes': { layers: [[file('a', base64(TOKEN.slice(0, -3)))]] },
  'hex of all but its last byte': { layers: [[file('a', Buffer.from(TOKEN.slice(0, -1)).toString('hex'))]] },
  'the armour of a key': {
    layers: [[file('a', '-----BEGIN PRIVATE KEY-----\n\n-----END PRIVATE KEY-----\n')]],
  },
  'the short last line of a key': { layers: [[file('a', `${BODY[2] ?? ''}\n`)]] },
  'a part of a line of a key': { layers: [[file('a', (BODY[0] ?? '').slice(0, 60))]] },
  'another key': {
    layers: [
      [
        file(
          'a',
          KEY.replaceAll(/[A-Z]/g, (letter) => reversed(`${letter}x`)),
        ),
      ],
    ],
  },
  'a layer of the base': { base: [file('etc/key', TOKEN)] },
  'a mount of it': {
    history: ['RUN --mount=type=secret,id=token NPM_TOKEN=$(cat /run/secrets/token) npm ci'],
    layers: [[{ name: 'run/secrets/', type: '5' }, file('run/secrets/token', '')]],
  },
  'the jar of something harmless': { layers: [[file('a.jar', zip([{ name: 'x', content: noise }]))]] },
};
