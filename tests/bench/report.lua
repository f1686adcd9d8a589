-- The request from the environment, with an id in each if BENCH_IDS is set; and the figures as one line of JSON.
wrk.method = "POST"
wrk.body = os.getenv("BENCH_BODY")
wrk.headers["Content-Type"] = "application/json"

if os.getenv("BENCH_IDS") then
  local number = 0
  function request()
    number = number + 1
    wrk.headers["X-Request-Id"] = "bench-" .. number
    return wrk.format()
  end
end

function done(summary, latency)
  io.stderr:write(string.format(
    '{"requests": %d, "rate": %f, "p50": %f, "p99": %f, "errors": %d}\n', summary.requests,
    summary.requests / summary.duration * 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
