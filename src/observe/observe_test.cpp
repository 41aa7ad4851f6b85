#include <atomic>
#include <future>

#include "observe/log.hpp"
#include "observe/metrics.hpp"
#include "rfc_test.hpp"

using namespace facteur;
using namespace facteur::observe;

TEST_CASE("a record is one line, whatever its values hold") {
  const Record record{"login_refused", Level::warning, {{"login", "a\r\nb \"x\"\x80", false}, {"n", "5", true}}};
  CHECK(format_line(record, UtcTime{1'700'000'000'123}, LogFormat::json) ==
        "{\"time\":\"2023-11-14T22:13:20.123Z\",\"level\":\"warning\",\"event\":\"login_refused\","
        "\"login\":\"a\\u000d\\u000ab \\\"x\\\"\\u0080\",\"n\":5}\n");
  const auto text = format_line(record, UtcTime{0}, LogFormat::text);
  CHECK(text.starts_with("1970-01-01T00:00:00.000Z warning login_refused login=\""));
  CHECK(text.find('\n') == text.size() - 1);
  CHECK(to_iso8601(UtcTime{-1}) == "1969-12-31T23:59:59.999Z");
  CHECK(to_iso8601(UtcTime{4'102'444'800'000}) == "2100-01-01T00:00:00.000Z");
}

TEST_CASE("a writer that stands still never blocks events; losses are counted and told") {
  std::promise<void> go;
  auto gate = go.get_future().share();
  std::string written;
  {
    LogSink sink([] { return UtcTime{0}; }, LogFormat::text, Level::info,
                 [&](std::string_view lines) {
                   gate.wait();
                   written += lines;
                 });
    const Scope scope(sink);
    scope.event("unimportant").level(Level::debug);
    for (int i = 0; i < 5000; ++i) scope.event("big").field("text", std::string(1000, 'x'));
    CHECK(written.empty());
    go.set_value();
    // Room comes back as soon as the writer goes on; then the loss is told.
    for (int i = 0; i < 50; ++i) {
      scope.event("small");
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  CHECK(written.find("log_lines_dropped count=") != std::string::npos);
  CHECK(written.find("unimportant") == std::string::npos);
  CHECK(written.size() < 5000 * 1000);
}

TEST_CASE("events become counters, octets and times become sums, values of peers never become labels") {
  NullSink null;
  Metrics metrics(null);
  const Scope scope(metrics);
  scope.event("delivery_finished").field("result", "delivered").field("size_bytes", 100).field("peer", "evil");
  scope.event("delivery_finished").field("result", "delivered").field("size_bytes", 50);
  scope.event("delivery_finished").field("result", "a\"b\n");
  metrics.gauge("connections_open", "Connections open now", [] { return 7.0; });
  const auto text = metrics.prometheus();
  CHECK(text.find("facteur_connections_open 7\n") != std::string::npos);
  CHECK(text.find("facteur_delivery_finished_total{result=\"delivered\"} 2\n") != std::string::npos);
  CHECK(text.find("facteur_delivery_finished_size_bytes_total{result=\"delivered\"} 150\n") != std::string::npos);
  CHECK(text.find("result=\"a\\\"b?\"") != std::string::npos);
  CHECK(text.find("evil") == std::string::npos);
  CHECK(metrics.count("delivery_finished") == 3);
  for (int i = 0; i < 1000; ++i) scope.event("e").field("result", std::to_string(i));
  CHECK(metrics.count("e") == 1000);
  CHECK(metrics.prometheus().size() < 20000);
}
