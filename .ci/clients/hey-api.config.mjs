export default {
  input: process.env.OPENAPI_DOCUMENT,
  output: { path: process.env.HEY_API_FOLDER ?? 'hey-api', module: { extension: '.js' } },
  plugins: ['@hey-api/client-fetch', '@hey-api/typescript', '@hey-api/sdk'],
  logs: { file: false },
};
