-- POSTs the body in BENCH_BODY with the keys in BENCH_KEYS (one a line), one after another from the BENCH_TURN-th on,
-- and prints wrk's counts as JSON. BENCH_CACHE_CONTROL is that header's value, if it is not empty. With BENCH_PER_SECOND
-- requests are due at that rate whatever became of those before, as long as a connection is free.
local requests, turn = {}, tonumber(os.getenv("BENCH_TURN"))
local per_second = tonumber(os.getenv("BENCH_PER_SECOND") or "0")

function init(_arguments)
  local file = assert(io.open(os.getenv("BENCH_BODY"), "rb"))
  local body = file:read("*a")
  file:close()
  local control = os.getenv("BENCH_CACHE_CONTROL")
  for key in io.lines(os.getenv("BENCH_KEYS")) do
    requests[#requests + 1] = wrk.format("POST", nil, {
      ["Host"] = wrk.host .. ":" .. wrk.port, ["Authorization"] = "Bearer " .. key, ["Content-Type"] = "application/json",
      ["Cache-Control"] = control ~= "" and control or nil
    }, body)
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

if per_second > 0 then
  local ffi = require("ffi")
  ffi.cdef("typedef struct { long s; long ns; } moment; int clock_gettime(int clock, moment *now);")
  local now, due = ffi.new("moment"), nil

  function delay()
    ffi.C.clock_gettime(1, now)
    local at = tonumber(now.s) * 1e3 + tonumber(now.ns) / 1e6
    due = (due or at) + 1e3 / per_second
    return math.max(0, math.floor(due - at))
  end
end

function done(summary, latency, _requests)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests": %d, "seconds": %f, "errors": %d, "p50_ms": %f, "p90_ms": %f, "p99_ms": %f}\n',
    summary.requests, summary.duration / 1e6,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(90) / 1e3, latency:percentile(99) / 1e3))
end
