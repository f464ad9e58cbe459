/** The images that the benchmark squashes, all on one small base; random content, so that nothing can be packed away. */

export const BASE = 'busybox:latest';

/** The last layer removes what one of them has brought, so that there is something to leave out. */
const layers = (count, megabytes) => [
  ...Array.from({ length: count }, (_, i) => `RUN dd if=/dev/urandom of=/big${i} bs=1M count=${megabytes}`),
  'RUN rm /big0 && touch /big1',
];

/** The quicker a case, the more one moment's other work on the machine weighs: it gets more rounds. */
export const CASES = [
  { name: '200 MB in 5 layers', rounds: 7, lines: layers(4, 50) },
  { name: '1 GB in 11 layers', rounds: 5, lines: layers(10, 102) },
  {
    name: '300,000 files of 300 bytes',
    rounds: 3,
    lines: [
      'RUN mkdir /many && cd /many && mkdir $(seq 30) && ' +
        `awk 'BEGIN { for (i = 0; i < 300000; i++) { f = (i % 30 + 1) "/f" i; printf "%0300d", i > f; close(f) } }'`,
      'RUN rm -r /many/1',
    ],
  },
];
