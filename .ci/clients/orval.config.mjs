// GATEWAY_URL stands in the client, because orval's functions take no base address.
export default {
  gateway: {
    input: process.env.OPENAPI_DOCUMENT,
    output: { target: './orval/client.ts', client: 'fetch', baseUrl: process.env.GATEWAY_URL, clean: true },
  },
};
