#include "server/metrics_service.hpp"

#include <fmt/format.h>

#include <array>

namespace facteur::server {

namespace {

constexpr std::size_t longest_request = 8192;
constexpr std::string_view openmetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";

class MetricsService : public Service {
 public:
  explicit MetricsService(MetricsDoors doors) : doors_(std::move(doors)) {}

  Task<void> serve(Connection connection) override {
    const Instant deadline = doors_.clock.now() + 10s;
    std::string request;
    std::array<char, 1024> room{};
    while (request.find("\r\n\r\n") == std::string::npos && request.size() < longest_request) {
      auto count = co_await connection.stream->read(Room(room), deadline);
      if (!count || *count == 0) break;
      request.append(room.data(), *count);
    }
    const std::string response = answer(request);
    static_cast<void>(co_await connection.stream->write(response, deadline));
    connection.stream->end();
    connection.stream->close();
  }

 private:
  std::string answer(std::string_view request) const {
    // RFC 9112 §3: method SP request-target SP HTTP-version CRLF.
    const std::string_view line = request.substr(0, request.find("\r\n"));
    const auto first = line.find(' ');
    const auto second = line.find(' ', first == std::string_view::npos ? first : first + 1);
    if (second == std::string_view::npos || !line.substr(second + 1).starts_with("HTTP/1.") ||
        request.find("\r\n\r\n") == std::string_view::npos) {
      return response("400 Bad Request", "This is not an HTTP request\n", true);
    }
    const std::string_view method = line.substr(0, first);
    const std::string_view target = line.substr(first + 1, second - first - 1);
    if (method != "GET" && method != "HEAD") return response("405 Method Not Allowed", "GET only\n", true);
    const bool body = method == "GET";
    if (target == "/metrics") return response("200 OK", doors_.metrics(), body, openmetrics);
    if (target != "/healthz") return response("404 Not Found", "There are /metrics and /healthz\n", body);
    const std::string trouble = doors_.trouble();
    return trouble.empty() ? response("200 OK", "ok\n", body)
                           : response("503 Service Unavailable", trouble + "\n", body);
  }

  static std::string response(std::string_view status, const std::string& text, bool body,
                              std::string_view type = "text/plain; charset=utf-8") {
    return fmt::format(
        "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n"
        "Connection: close\r\n\r\n{}",
        status, type, text.size(), body ? text : std::string());
  }

  MetricsDoors doors_;
};

}  // namespace

std::unique_ptr<Service> make_metrics_service(MetricsDoors doors) {
  return std::make_unique<MetricsService>(std::move(doors));
}

}  // namespace facteur::server
