// What the server's engine costs: goal 2 us for a session of six commands, and 1 to 2 GB/s of content.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <string>

#include "smtp/content_reader.hpp"
#include "smtp/server_session.hpp"

namespace {

using namespace facteur;
using namespace facteur::smtp;

ServerParameters parameters() {
  ServerParameters p;
  p.hostname = "mx.example.org";
  p.starttls = true;
  return p;
}

// Octets of content seen; what goes out is looked at and dropped.
std::size_t pump(ServerSession& session) {
  std::size_t content = 0;
  while (auto action = session.next()) {
    if (auto* question = std::get_if<Question>(&*action)) {
      if (const auto* append = std::get_if<AppendContent>(question)) content += append->content.size();
      session.answer(Reply{});
    } else if (const auto* send = std::get_if<Send>(&*action)) {
      benchmark::DoNotOptimize(send->replies.data());
    }
  }
  return content;
}

std::size_t feed(ServerSession& session, std::string_view octets) {
  std::size_t content = 0;
  while (!octets.empty()) {
    const Room room = session.room();
    const std::size_t count = std::min(octets.size(), room.size());
    std::copy_n(octets.data(), count, room.data());
    octets.remove_prefix(count);
    session.received(count, Instant{1});
    content += pump(session);
  }
  return content;
}

std::string lines(std::size_t size) {
  std::string text;
  while (text.size() < size) text += "Une ligne de texte ordinaire, de soixante-dix caracteres environ, sans rien.\r\n";
  return text;
}

void BM_session_of_six_commands(benchmark::State& state) {
  for (auto _ : state) {
    ServerSession session(parameters(), Instant{1});
    pump(session);
    feed(session, "EHLO client.example.com\r\n");
    feed(session, "MAIL FROM:<someone@example.com> SIZE=1000\r\n");
    feed(session, "RCPT TO:<somebody@example.org>\r\n");
    feed(session, "DATA\r\n");
    feed(session, "Subject: x\r\n\r\nHello\r\n.\r\n");
    feed(session, "QUIT\r\n");
  }
}
BENCHMARK(BM_session_of_six_commands);

void BM_pipelined_message(benchmark::State& state) {
  ServerSession session = [] {
    auto p = parameters();
    p.messages = SIZE_MAX;
    return ServerSession(p, Instant{1});
  }();
  pump(session);
  feed(session, "EHLO client.example.com\r\n");
  for (auto _ : state) {
    feed(session, "MAIL FROM:<someone@example.com>\r\nRCPT TO:<somebody@example.org>\r\nDATA\r\n");
    feed(session, "Subject: x\r\n\r\nHello\r\n.\r\n");
  }
}
BENCHMARK(BM_pipelined_message);

void BM_content(benchmark::State& state) {
  ServerSession session = [] {
    auto p = parameters();
    p.messages = SIZE_MAX;
    p.message_size = SIZE_MAX / 4;
    return ServerSession(p, Instant{1});
  }();
  pump(session);
  feed(session, "EHLO c\r\n");
  const std::string content = lines(10 << 20) + ".\r\n";
  std::size_t octets = 0;
  for (auto _ : state) {
    feed(session, "MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n");
    octets += feed(session, content);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(octets));
}
BENCHMARK(BM_content);

void BM_content_reader(benchmark::State& state) {
  std::string content = lines(64 << 10);
  for (auto _ : state) {
    ContentReader reader;
    benchmark::DoNotOptimize(reader.read(content));
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(content.size()) * static_cast<std::int64_t>(state.iterations()));
}
BENCHMARK(BM_content_reader);

void BM_content_reader_all_dots(benchmark::State& state) {
  std::string dots;
  while (dots.size() < 64 << 10) dots += "..\r\n";
  for (auto _ : state) {
    std::string content = dots;
    ContentReader reader;
    benchmark::DoNotOptimize(reader.read(content));
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(dots.size()) * static_cast<std::int64_t>(state.iterations()));
}
BENCHMARK(BM_content_reader_all_dots);

}  // namespace
