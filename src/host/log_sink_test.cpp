#include "host/log_sink.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "host/stage_test.hpp"

using namespace facteur;
using namespace facteur::host;
using observe::Level;
using Format = LogOptions::Format;

namespace {

std::string content(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("a line of each format") {
  const observe::Record record{"smtp_session_finished",
                               Level::info,
                               {{"peer", "192.0.2.1", false}, {"messages", "3", true}, {"helo", "a b", false}}};
  const UtcTime time{1'790'000'000'123};
  CHECK(log_line(record, time, Format::json) ==
        "{\"time\":\"2026-09-21T14:13:20.123Z\",\"level\":\"info\",\"event\":\"smtp_session_finished\","
        "\"peer\":\"192.0.2.1\",\"messages\":3,\"helo\":\"a b\"}\n");
  CHECK(log_line(record, time, Format::text) ==
        "2026-09-21T14:13:20.123Z info smtp_session_finished peer=192.0.2.1 messages=3 helo=\"a b\"\n");
}

TEST_CASE("RELIABILITY S83: whatever a value holds, a line is one line of printable ASCII") {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  all += "\xe2\x80\xae \xf0\x9f\x98\x80 \xc3\xa9 \xed\xa0\x80 \xc0\xaf \xf4\x90\x80\x80 \xe2\x80";
  for (const auto format : {Format::json, Format::text}) {
    for (std::size_t cut = 0; cut <= all.size(); ++cut) {
      const std::string line = log_line({"e", Level::error, {{"v", all.substr(cut), false}}}, {}, format);
      CHECK(line.find('\n') == line.size() - 1);
      CHECK(std::ranges::all_of(line.substr(0, line.size() - 1), [](char c) { return c >= 0x20 && c < 0x7f; }));
    }
  }
  const auto json = [](const char* value) {
    return log_line({"e", Level::info, {{"v", value, false}}}, {}, Format::json);
  };
  CHECK(json("\xe2\x80\xae").ends_with("\"v\":\"\\u202e\"}\n"));
  CHECK(json("\xf0\x9f\x98\x80").ends_with("\"v\":\"\\ud83d\\ude00\"}\n"));
  CHECK(json("\xff").ends_with("\"v\":\"\\ufffd\"}\n"));
  CHECK(json("a\"b\\c\r").ends_with("\"v\":\"a\\\"b\\\\c\\u000d\"}\n"));
}

TEST_CASE("events become lines and metrics") {
  const TemporaryFolder folder;
  const std::string path = folder.path + "/log";
  std::string metrics;
  {
    LogSink sink({.format = Format::text, .least = Level::info, .file = path});
    const observe::Scope scope = observe::Scope(sink).with("trace", "t1");
    scope.event("message_accepted").field("size_bytes", 70).field("duration_ms", 3);
    scope.event("message_accepted").field("size_bytes", 5000).field("duration_ms", 40'000).level(Level::warning);
    scope.event("poll").level(Level::debug);
    sink.metrics().gauge("sessions", "Open sessions.", [] { return 7.0; });
    metrics = sink.metrics().exposition();
  }
  const std::string lines = content(path);
  CHECK(lines.find("message_accepted trace=t1 size_bytes=70 duration_ms=3\n") != lines.npos);
  CHECK(lines.find("poll") == lines.npos);
  CHECK(metrics.find("facteur_message_accepted_total{level=\"info\"} 1\n") != metrics.npos);
  CHECK(metrics.find("facteur_message_accepted_total{level=\"warning\"} 1\n") != metrics.npos);
  CHECK(metrics.find("facteur_poll_total{level=\"debug\"} 1\n") != metrics.npos);
  CHECK(metrics.find("facteur_message_accepted_duration_ms_bucket{le=\"4.0\"} 1\n") != metrics.npos);
  CHECK(metrics.find("facteur_message_accepted_duration_ms_bucket{le=\"+Inf\"} 2\n") != metrics.npos);
  CHECK(metrics.find("facteur_message_accepted_size_bytes_sum 5070\n") != metrics.npos);
  CHECK(metrics.find("facteur_sessions 7\n") != metrics.npos);
  CHECK(metrics.ends_with("# EOF\n"));
}

TEST_CASE("RELIABILITY R30: a log that nobody reads stops nothing; what is lost is counted and said") {
  const TemporaryFolder folder;
  const std::string path = folder.path + "/log";
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  const int reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  REQUIRE(reader >= 0);
  REQUIRE(::fcntl(reader, F_SETPIPE_SZ, 4096) >= 0);
  LogSink sink({.format = Format::text, .least = Level::info, .file = path, .most_waiting = 2000});
  const observe::Scope scope(sink);
  for (int i = 0; i < 1000; ++i) scope.event("flood").field("number", i);  // 45 KB: the pipe takes 4, 2 may wait.
  CHECK(sink.dropped() > 0);
  std::string read;
  for (int i = 0; i < 500 && read.find("log_line_dropped count=") == std::string::npos; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    scope.event("later");
    char octets[4096];
    if (const auto size = ::read(reader, octets, sizeof octets); size > 0) {
      read.append(octets, static_cast<std::size_t>(size));
    }
  }
  CHECK(read.find("log_line_dropped count=") != std::string::npos);
  ::close(reader);
}

TEST_CASE("after rotation the file is made anew") {
  const TemporaryFolder folder;
  const std::string path = folder.path + "/log";
  {
    LogSink sink({.file = path});
    const observe::Scope scope(sink);
    scope.event("first");
    for (int i = 0; i < 200 && content(path).empty(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    std::filesystem::rename(path, path + ".1");
    sink.reopen();
    scope.event("second");
  }
  CHECK(content(path + ".1").find("first") != std::string::npos);
  CHECK(content(path).find("second") != std::string::npos);
}
