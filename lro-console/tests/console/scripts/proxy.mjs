// A proxy before the console that strips a prefix, and may buffer its streams.
import http from 'node:http';
import {url} from './kit.mjs';

export async function proxy({buffers}) {
  const server = http.createServer((request, answer) => {
    const path = new URL(request.url.replace(/^\/x\/y/, ''), url);
    const forwarded = http.request(path, {method: request.method, headers: {...request.headers, host: path.host}}, response => {
      if (buffers && path.pathname.endsWith('/events')) return;
      answer.writeHead(response.statusCode, response.headers);
      response.pipe(answer);
    });
    forwarded.on('error', () => answer.destroy());
    request.pipe(forwarded);
    answer.on('close', () => forwarded.destroy());
  });
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    base: `http://127.0.0.1:${server.address().port}/x/y/`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
