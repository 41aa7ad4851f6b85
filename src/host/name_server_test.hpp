// For the tests of this folder: a real authoritative name server (NSD) on a loopback port, zones signed by
// ldns-signzone, and a false one that answers whatever a test wants.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "host/stage_test.hpp"

namespace facteur::host {

// Starts a program with its output in `log`.
inline pid_t start_program(const std::vector<std::string>& argv, const std::string& folder, const std::string& log) {
  std::vector<char*> arguments;
  for (const auto& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);  // It does not outlive a test that crashes,
  ::close_range(3, ~0U, 0);            // nor keep what we hold (locks of a parent, sockets).
  const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::dup2(out, 1);
  ::dup2(out, 2);
  if (::chdir(folder.c_str()) == 0) ::execvp(arguments[0], arguments.data());
  ::_exit(127);
}

inline std::string content_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A loopback address and port that nobody has now, for UDP and TCP.
inline Endpoint free_port() {
  for (;;) {
    const int udp = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const int tcp = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    const bool both = ::bind(udp, any, size) == 0 && ::getsockname(udp, any, &size) == 0 && ::bind(tcp, any, size) == 0;
    ::close(udp);
    ::close(tcp);
    if (both) return {IpAddress::loopback(), ntohs(address.sin_port)};
  }
}

class NameServer {
 public:
  NameServer() : at(free_port()), path_(folder_.path + "/") {}
  NameServer(const NameServer&) = delete;
  NameServer& operator=(const NameServer&) = delete;
  ~NameServer() { stop(); }

  // Records beside SOA and NS; names may be relative to the zone.
  void zone(const std::string& name, const std::string& records) {
    std::ofstream(path_ + name) << "$ORIGIN " << name
                                << ".\n$TTL 300\n@ SOA ns.invalid. root.invalid. 1 3600 600 86400 60\n"
                                << "@ NS ns\nns A 127.0.0.1\n"
                                << records;
    if (std::ranges::find(zones_, name) == zones_.end()) zones_.push_back(name);
  }
  // A zone without a file: NSD answers SERVFAIL.
  void broken_zone(const std::string& name) { zones_.push_back(name); }

  // Signs it with a new key. `options`: more arguments of ldns-signzone. The key is the zone's trust anchor.
  std::string sign(const std::string& name, const std::vector<std::string>& options = {}) {
    tool({"ldns-keygen", "-r", "/dev/urandom", "-a", "ECDSAP256SHA256", "-k", name});
    std::string key = content_of(path_ + "tool.log");
    key = key.substr(0, key.find('\n'));
    std::vector<std::string> argv{"ldns-signzone", "-f", name + ".signed"};
    argv.insert(argv.end(), options.begin(), options.end());
    argv.insert(argv.end(), {name, key});
    tool(argv);
    ::rename((path_ + name + ".signed").c_str(), (path_ + name).c_str());
    return content_of(path_ + key + ".key");
  }
  // Changes a zone after it was signed.
  void falsify(const std::string& name, const std::string& from, const std::string& to) {
    std::string text = content_of(path_ + name);
    const auto place = text.find(from);
    REQUIRE(place != text.npos);
    std::ofstream(path_ + name) << text.replace(place, from.size(), to);
  }
  std::string trust(const std::string& anchors) {
    std::ofstream(path_ + "anchors") << anchors;
    return path_ + "anchors";
  }

  void start() {
    std::ofstream conf(path_ + "nsd.conf");
    conf << "server:\n ip-address: 127.0.0.1@" << at.port << "\n username: \"\"\n chroot: \"\"\n server-count: 1\n"
         << " database: \"\"\n xfrdfile: \"" << path_ << "xfrd\"\n xfrdir: \"" << path_
         << "\"\n pidfile: \"\"\n zonesdir: \"" << path_ << "\"\n zonelistfile: \"" << path_
         << "zones\"\n rrl-ratelimit: 0\nremote-control:\n control-enable: no\n";
    for (const auto& name : zones_) conf << "zone:\n name: " << name << "\n zonefile: " << name << "\n";
    conf.close();
    child_ = start_program({"/usr/sbin/nsd", "-d", "-c", "nsd.conf"}, path_, path_ + "nsd.log");
    for (int i = 0; i < 500; ++i) {
      if (content_of(path_ + "nsd.log").find("nsd started") != std::string::npos) return;
      ::usleep(10'000);
    }
    FAIL("nsd (package of packages.txt) does not start: " << content_of(path_ + "nsd.log"));
  }
  void stop() {
    if (child_ <= 0) return;
    ::kill(child_, SIGTERM);
    ::waitpid(child_, nullptr, 0);
    child_ = 0;
    std::ofstream(path_ + "nsd.log") << "";
  }

  const Endpoint at;

 private:
  void tool(const std::vector<std::string>& argv) {
    const std::string log = path_ + "tool.log";
    ::unlink(log.c_str());
    int status = -1;
    ::waitpid(start_program(argv, path_, log), &status, 0);
    REQUIRE_MESSAGE(status == 0, argv[0] << " (package ldnsutils): " << content_of(log));
  }

  TemporaryFolder folder_;
  std::string path_;
  std::vector<std::string> zones_;
  pid_t child_ = 0;
};

// A name server over UDP that gives for each question what `answer` makes of it; empty: nothing.
class FalseServer {
 public:
  using Answer = std::function<std::string(std::string question)>;
  explicit FalseServer(Answer answer) : at(free_port()), answer_(std::move(answer)) {
    fd_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(at.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    const timeval wait{.tv_sec = 0, .tv_usec = 20'000};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    thread_ = std::thread([this] { answer_all(); });
  }
  FalseServer(const FalseServer&) = delete;
  FalseServer& operator=(const FalseServer&) = delete;
  ~FalseServer() {
    stop_ = true;
    thread_.join();
    ::close(fd_);
  }

  // The question as its own answer, with this RCODE (RFC 1035 §4.1.1), and TC if it is truncated.
  static std::string echo(std::string question, int rcode, bool truncated = false) {
    if (question.size() < 12) return {};
    question[2] = static_cast<char>(0x84 | (truncated ? 0x02 : 0));
    question[3] = static_cast<char>(rcode);
    question[10] = question[11] = 0;  // No additional records: what follows the question is cut off below.
    std::size_t end = 12;
    while (end < question.size() && question[end] != 0) end += 1 + static_cast<unsigned char>(question[end]);
    return question.substr(0, end + 5);
  }

  const Endpoint at;
  std::atomic<int> asked = 0;

 private:
  void answer_all() {
    while (!stop_) {
      std::string question(4096, '\0');
      sockaddr_in from{};
      socklen_t size = sizeof from;
      auto* const who = reinterpret_cast<sockaddr*>(&from);
      const auto length = ::recvfrom(fd_, question.data(), question.size(), 0, who, &size);
      if (length <= 0) continue;
      ++asked;
      question.resize(static_cast<std::size_t>(length));
      const std::string text = answer_(std::move(question));
      if (!text.empty()) static_cast<void>(::sendto(fd_, text.data(), text.size(), 0, who, size));
    }
  }

  Answer answer_;
  int fd_ = -1;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace facteur::host
