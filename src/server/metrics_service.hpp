// The monitoring port: GET /metrics (Prometheus) and GET /healthz over HTTP/1.1, one request a connection.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "server/service.hpp"
#include "world/clock.hpp"

namespace facteur::server {

struct MetricsDoors {
  world::Clock& clock;
  std::function<std::string()> metrics;
  std::function<std::string()> trouble;  // Empty: healthy. Else one line that says what is wrong (503).
};

std::unique_ptr<Service> make_metrics_service(MetricsDoors doors);

}  // namespace facteur::server
