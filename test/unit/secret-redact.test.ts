/** How secrets are kept out of texts, events, errors and the log. */
import { format } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EngineError, StepError } from '../../src/core/errors.js';
import type { BuildEvent } from '../../src/core/events.js';
import { LineSplitter, LONGEST_LINE } from '../../src/core/lines.js';
import { createRedactor, type Redactor } from '../../src/secrets/redact.js';
import { NOTHING_CARRIED, TextRedactor } from '../../src/secrets/redact-text.js';

const SECRET = 'hunter2-Swordfish/42+&"x"';

function redactorOf(...values: readonly (string | Buffer)[]): Redactor {
  const redactor = createRedactor();
  redactor.add(values);
  return redactor;
}

describe('a text', () => {
  it('is the same without secrets, and where it holds none', () => {
    expect(createRedactor().text('hunter2')).toBe('hunter2');
    expect(redactorOf(SECRET).text('hunter2 and swordfish')).toBe('hunter2 and swordfish');
  });

  it('shows *** for each occurrence', () => {
    expect(redactorOf(SECRET).text(`a=${SECRET} b=${SECRET}`)).toBe('a=*** b=***');
  });

  it.each<readonly [string, string]>([
    ['base64', Buffer.from(SECRET).toString('base64')],
    ['base64 with a line break', Buffer.from(`${SECRET}\n`).toString('base64')],
    ['base64 in the midst of more', Buffer.from(`user:${SECRET}`).toString('base64')],
    ['base64url', Buffer.from(SECRET).toString('base64url')],
    ['hex', Buffer.from(SECRET).toString('hex')],
    ['HEX', Buffer.from(SECRET).toString('hex').toUpperCase()],
    ['URL', encodeURIComponent(SECRET)],
    ['JSON', JSON.stringify(SECRET)],
  ])('shows no value encoded as %s', (_, encoded) => {
    const text = redactorOf(`${SECRET}\n`).text(`[${encoded}]`);
    expect(text).toContain('***');
    // What is left of base64 is what other bytes have a part in.
    for (let at = 0; at + 8 <= encoded.length; at++) {
      const part = encoded.slice(at, at + 8);
      if (!Buffer.from(part, 'base64').toString('latin1').includes('user:')) expect(text).not.toContain(part);
    }
  });

  it('shows no line of a secret of several lines, but what all keys share', () => {
    const key = '-----BEGIN KEY-----\r\nMIIEpAIBAAKCAQEA\r\n  q9sl2Pk=\r\n}\r\n-----END KEY-----\r\n';
    const redactor = redactorOf(Buffer.from(key));
    expect(redactor.text('MIIEpAIBAAKCAQEA')).toBe('***');
    expect(redactor.text('key: q9sl2Pk=')).toBe('key: ***');
    expect(redactor.text('-----BEGIN KEY----- }')).toBe('-----BEGIN KEY----- }');
  });

  it('shows no short value of four characters or more, nor its encodings', () => {
    const redactor = redactorOf('1234', 'abc');
    expect(redactor.text('pin 1234')).toBe('pin ***');
    expect(redactor.text(`pin ${Buffer.from('1234').toString('hex')}`)).toBe('pin ***');
    expect(redactor.text('abcdef')).toBe('abcdef');
  });

  it('shows no binary value as UTF-8 or as latin1', () => {
    const value = Buffer.from('fe00c3a9ff414243444546', 'hex');
    const redactor = redactorOf(value);
    expect(redactor.text(`<${value.toString('latin1')}>`)).toBe('<***>');
    expect(redactor.text(`<${value.toString('utf8')}>`)).toBe('<***>');
  });

  it('takes needles as they are', () => {
    expect(createRedactor([{ bytes: Buffer.from('needle\n') }]).text('a needle')).toBe('a ***');
  });

  it('leaves nothing of values that overlap', () => {
    const redactor = redactorOf('foobar', 'barbaz-and-more', 'arba');
    expect(redactor.text('xfoobarbaz-and-morex')).toBe('x***x');
  });

  it('leaves nothing of the longer of two values that begin alike', () => {
    expect(redactorOf('token', 'token-and-tail').text('token-and-tail token')).toBe('*** ***');
  });
});

/** What must be hidden, the slow way: each character that is part of any occurrence. */
function hiddenIn(text: string, values: readonly string[]): readonly boolean[] {
  const hidden = Array.from({ length: text.length }, () => false);
  for (const value of values) {
    for (let at = text.indexOf(value); at !== -1; at = text.indexOf(value, at + 1)) {
      hidden.fill(true, at, at + value.length);
    }
  }
  return hidden;
}

/** Few letters, so that values overlap; and values that are in the text. */
const textAndSecrets = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 60 }).chain((text) =>
  fc.record({
    text: fc.constant(text),
    secrets: fc
      .array(fc.tuple(fc.nat(text.length), fc.integer({ min: 4, max: 12 })), { maxLength: 4 })
      .map((ranges) => ranges.map(([start, length]) => text.slice(start, start + length)))
      .map((secrets) => secrets.filter(({ length }) => length >= 4)),
  }),
);

describe('a stream', () => {
  it('is redacted alike wherever it is cut, and exactly what is secret is hidden', () => {
    fc.assert(
      fc.property(textAndSecrets, fc.array(fc.nat(60), { maxLength: 6 }), ({ text, secrets }, cuts) => {
        const texts = new TextRedactor();
        for (const secret of secrets) texts.add(secret);
        const whole = texts.redact(text);
        const shown = Array.from(text)
          .filter((_, at) => hiddenIn(text, secrets)[at] === false)
          .join('');
        expect(whole.replaceAll('***', '')).toBe(shown);
        const places = [
          0,
          ...cuts.map((cut) => Math.min(cut, text.length)).sort((a, b) => a - b),
          text.length,
        ];
        let carry = NOTHING_CARRIED;
        let clean = '';
        for (const [index, start] of places.slice(0, -1).entries()) {
          const piece = text.slice(start, places[index + 1]);
          const next = texts.next(carry, piece, index === places.length - 2 ? 'end' : 'more');
          clean += next.clean;
          carry = next.carry;
        }
        expect(clean).toBe(whole);
      }),
      { numRuns: 2000 },
    );
  });
});

function outputOf(lines: readonly string[], redactor: Redactor): string[] {
  const seen: string[] = [];
  const emit = redactor.emit((event) => {
    if (event.type === 'output') seen.push(event.line);
  });
  for (const line of lines) {
    emit({ at: 0, type: 'output', step: 'app', phase: 'build', stream: 'stdout', line });
  }
  emit({ at: 0, type: 'step-finished', step: 'app', status: 'succeeded', durationMs: 0 });
  return seen;
}

describe('output', () => {
  it('hides a value wherever the pieces of a long line part it', () => {
    const redactor = redactorOf(SECRET);
    for (let before = 0; before <= SECRET.length; before++) {
      const pieces: string[] = [];
      const splitter = new LineSplitter((line) => pieces.push(line));
      splitter.write(Buffer.from(`${'x'.repeat(LONGEST_LINE - before)}${SECRET}tail\nnext\n`));
      expect(pieces).toHaveLength(3);
      const lines = outputOf(pieces, redactor);
      expect(lines.at(-1)).toBe('next');
      expect(lines.slice(0, -1).join('')).toBe(`${'x'.repeat(LONGEST_LINE - before)}***tail`);
      for (const line of lines) expect(line.length).toBeLessThanOrEqual(LONGEST_LINE);
    }
  });

  it('hides a value that is longer than a piece', () => {
    const long = Array.from({ length: 20_000 }, (_, index) => `${index},`).join('');
    const line = `before ${long} after`;
    const pieces = [line.slice(0, LONGEST_LINE), line.slice(LONGEST_LINE)];
    expect(outputOf(pieces, redactorOf(long)).join('')).toBe('before *** after');
  });

  it('passes on the end of a line of exactly one piece when its phase ends', () => {
    const line = 'x'.repeat(LONGEST_LINE);
    expect(outputOf([line], redactorOf(SECRET)).join('')).toBe(line);
  });

  it('keeps lines of different streams apart', () => {
    const seen: string[] = [];
    const emit = redactorOf(SECRET).emit((event) => {
      if (event.type === 'output') seen.push(`${event.stream} ${event.line}`);
    });
    const output = (stream: 'stdout' | 'stderr', line: string): void => {
      emit({ at: 0, type: 'output', step: 'app', phase: 'build', stream, line });
    };
    const start = 'x'.repeat(LONGEST_LINE - 7) + SECRET.slice(0, 7);
    output('stdout', start);
    output('stderr', 'unrelated');
    output('stdout', SECRET.slice(7));
    expect(seen.filter((line) => line.startsWith('stderr'))).toEqual(['stderr unrelated']);
    const stdout = seen.filter((line) => line.startsWith('stdout')).map((line) => line.slice(7));
    expect(stdout.join('')).toBe(`${start.slice(0, -7)}***`);
  });

  it('stays as it is, empty lines too, without any secret', () => {
    const lines = ['a', '', 'x'.repeat(LONGEST_LINE), 'b'];
    expect(outputOf(lines, createRedactor())).toEqual(lines);
  });
});

describe('an event', () => {
  it('shows no secret in any text, and stays what it is', () => {
    const seen: BuildEvent[] = [];
    const emit = redactorOf('failed', SECRET).emit((event) => seen.push(event));
    emit({
      at: 1,
      type: 'step-finished',
      step: 'app',
      status: 'failed',
      durationMs: 2,
      imageId: 'sha256:failed',
      failure: { message: `RUN echo ${SECRET} failed`, output: ['a', `b ${SECRET}`], hint: SECRET },
    });
    expect(seen).toEqual([
      {
        at: 1,
        type: 'step-finished',
        step: 'app',
        status: 'failed',
        durationMs: 2,
        imageId: 'sha256:failed',
        failure: { message: 'RUN echo *** ***', output: ['a', 'b ***'], hint: '***' },
      },
    ]);
  });

  it('hides a value that two pieces of a failure’s output share', () => {
    const output = [`${'x'.repeat(LONGEST_LINE - 3)}${SECRET.slice(0, 3)}`, `${SECRET.slice(3)} end`, 'c'];
    const clean = redactorOf(SECRET).data({ output }).output;
    expect(clean.join('|')).not.toContain('hun');
    expect(clean.join('|')).not.toContain(SECRET.slice(3, 9));
    expect(clean).toHaveLength(3);
    expect(clean.join('').endsWith('*** endc')).toBe(true);
  });
});

describe('data', () => {
  it('is the same object where it is clean', () => {
    const data = { a: [1, 'x'], b: { c: null } };
    expect(redactorOf(SECRET).data(data)).toBe(data);
  });

  it('is copied where it is not', () => {
    const data = { a: [1, SECRET], [SECRET]: true };
    expect(redactorOf(SECRET).data(data)).toEqual({ a: [1, '***'], '***': true });
    expect(data.a[1]).toBe(SECRET);
  });
});

describe('an error', () => {
  it('keeps its class, and shows no secret by any way of printing it', () => {
    const cause = Object.assign(new Error(`connect ${SECRET}`), { json: { message: SECRET } });
    const error = new StepError(
      { message: `m ${SECRET}`, instruction: `RUN ${SECRET}`, output: [SECRET], hint: `h ${SECRET}` },
      cause,
    );
    const clean = redactorOf(SECRET).error(error);
    expect(clean).toBe(error);
    expect(clean).toBeInstanceOf(StepError);
    expect(error.failure).toEqual({
      message: 'm ***',
      instruction: 'RUN ***',
      output: ['***'],
      hint: 'h ***',
    });
    expect(error.hint).toBe('h ***');
    expect(error.message).toBe('m ***');
    expect(format('%O', error) + (error.stack ?? '') + JSON.stringify(error)).not.toContain('Swordfish');
  });

  it('keeps what programs tell it by', () => {
    const error = Object.assign(new EngineError('EngineError ENOENT', { status: 404 }), { code: 'ENOENT' });
    redactorOf('ENOENT', 'EngineError').error(error);
    expect([error.message, error.name, error.code, error.status]).toEqual([
      '*** ***',
      'EngineError',
      'ENOENT',
      404,
    ]);
  });

  it('may be its own cause', () => {
    const error = new Error(SECRET);
    error.cause = new AggregateError([error, new Error(`2 ${SECRET}`)], SECRET);
    redactorOf(SECRET).error(error);
    expect(format('%O', error)).not.toContain('Swordfish');
  });

  it('becomes another one where it cannot be changed', () => {
    const redactor = redactorOf(SECRET);
    const frozen = redactor.error(Object.freeze(new Error(SECRET)));
    expect(format('%O', frozen)).not.toContain('Swordfish');
    expect(frozen).toBeInstanceOf(Error);
    const platform = redactor.error(new DOMException(SECRET, 'AbortError'));
    expect(platform).toBeInstanceOf(DOMException);
    expect((platform as DOMException).message).toBe('***');
    expect((platform as DOMException).name).toBe('AbortError');
    expect(redactor.error(`thrown ${SECRET}`)).toBe('thrown ***');
  });
});

describe('the log', () => {
  it('is told no secret, by sentence or fields', () => {
    const lines: unknown[][] = [];
    const method = (...args: unknown[]): void => {
      lines.push(args);
    };
    const log = redactorOf(SECRET).log({ debug: method, info: method, warn: method, error: method });
    log.info(`a ${SECRET}`);
    log.error({ err: new Error(SECRET), at: 3 }, `b ${SECRET}`);
    log.warn({ x: 1 });
    expect(lines).toEqual([['a ***'], [{ err: new Error('***'), at: 3 }, 'b ***'], [{ x: 1 }]]);
  });
});
