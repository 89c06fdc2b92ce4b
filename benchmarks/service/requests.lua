-- For wrk: asks one of the questions below again and again, and at the end says what was seen as one line of JSON.
-- Arguments: the question, the API key, how many executions there are, and a body.

local question, key, executions, body
local turn = 0

local function exec_id(number)
  return string.format("01980000-0000-7000-8000-%012x", number)
end

local questions = {
  nothing = function() return wrk.format("GET", "/healthz") end,
  me = function() return wrk.format("GET", "/api/v0/auth/me") end,
  workflow = function() return wrk.format("GET", "/api/v0/workflows/" .. exec_id(turn % executions)) end,
  page = function() return wrk.format("GET", "/api/v0/workflows?limit=50") end,
  put = function() return wrk.format("PUT", "/api/v0/workflows/" .. exec_id(turn % executions), nil, body) end,
}

function init(arguments)
  question, key, executions, body = arguments[1], arguments[2], tonumber(arguments[3]), arguments[4]
  wrk.headers["Authorization"] = "Bearer " .. key
  if question == "put" then wrk.headers["Content-Type"] = "application/json" end
end

function request()
  turn = turn + 1
  return questions[question]()
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"microseconds":%d,"p50":%d,"p99":%d,"longest":%d,"failed":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency.max,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
