-- Sends the same POST each time: wrk ... -s post.lua URL -- BODY_FILE. The last printed line is JSON.

function init(args)
   local file = assert(io.open(args[1], "rb"))
   wrk.method = "POST"
   wrk.headers["Content-Type"] = "application/json"
   wrk.body = file:read("*a")
   file:close()
end

-- wrk counts an answer with a status over 399 both as a request and as a status error.
function done(summary, latency, requests)
   local errors = summary.errors
   io.write(string.format(
      '{"answers": %d, "seconds": %.6f, "p50_ms": %.3f, "p99_ms": %.3f, "bad_status": %d, "broken": %d}\n',
      summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
      errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
