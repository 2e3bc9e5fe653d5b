// Runs a fuzz target without libFuzzer: its corpus, then random changes of it, from a seed.
//
//   NAME [--runs N] [--seed S] [--size-max BYTES] [--write-corpus DIRECTORY] [FILE...]
//
// With files it runs those alone. The input under way lies in NAME.input, in the working directory,
// and is left there when the target dies of it.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "base/check.h"
#include "tests/fuzz/mutator.h"
#include "tests/fuzz/target.h"

namespace {

using assent::fuzz::Mutator;

struct Options {
  std::uint64_t runs = 20'000;
  std::uint64_t seed = 1;
  std::size_t size_max = 4'096;
  std::string corpus_directory;  // written to when not empty
  std::vector<std::string> files;
};

std::uint64_t number(const char* text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text, text + std::strlen(text), value);
  CHECK(error == std::errc() && *end == '\0', std::string(text) + " is not a number");
  return value;
}

Options parse(int argc, char** argv) {
  Options out;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const bool option = word.starts_with("--");
    CHECK(!option || i + 1 < argc, word + " needs a value");
    if (word == "--runs") {
      out.runs = number(argv[++i]);
    } else if (word == "--seed") {
      out.seed = number(argv[++i]);
    } else if (word == "--size-max") {
      out.size_max = number(argv[++i]);
    } else if (word == "--write-corpus") {
      out.corpus_directory = argv[++i];
    } else {
      CHECK(!option, "unknown option " + word);
      out.files.push_back(word);
    }
  }
  return out;
}

// The input under way, in a file that outlives this process.
class Current {
 public:
  Current(std::string path, std::size_t size_max) : path_(std::move(path)), size_max_(size_max) {
    file_ = open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0644);
    CHECK(file_ >= 0, "cannot write " + path_);
    CHECK(ftruncate(file_, static_cast<off_t>(size_max)) == 0, "cannot enlarge " + path_);
    void* memory = mmap(nullptr, size_max, PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0);
    CHECK(memory != MAP_FAILED, "cannot map " + path_);
    bytes_ = static_cast<std::uint8_t*>(memory);
  }
  ~Current() {
    munmap(bytes_, size_max_);
    close(file_);
    std::filesystem::remove(path_);
  }
  Current(const Current&) = delete;
  Current& operator=(const Current&) = delete;

  // A copy of the input in memory of its exact size, so that a sanitizer sees reads beyond its end.
  void run(const std::string& input) {
    CHECK_LE(input.size(), size_max_, "an input is longer than allowed");
    std::memcpy(bytes_, input.data(), input.size());
    const std::vector<std::uint8_t> exact(input.begin(), input.end());
    LLVMFuzzerTestOneInput(exact.data(), exact.size());
  }

 private:
  const std::string path_;
  const std::size_t size_max_;
  int file_ = -1;
  std::uint8_t* bytes_ = nullptr;
};

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  CHECK(file.good(), "cannot read " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_corpus(const std::filesystem::path& directory, const std::vector<std::string>& corpus) {
  std::filesystem::create_directories(directory);
  for (std::size_t i = 0; i < corpus.size(); ++i) {
    std::ofstream(directory / std::to_string(i), std::ios::binary) << corpus[i];
  }
}

void run_all(const Options& options, const std::string& name) {
  const std::vector<std::string> corpus = assent::fuzz::corpus();
  std::size_t size_max = options.size_max;
  for (const std::string& input : corpus) size_max = std::max(size_max, input.size());
  Current current(name + ".input", size_max);
  for (const std::string& input : corpus) current.run(input);
  Mutator mutator(corpus, options.seed, options.size_max);
  for (std::uint64_t run = 0; run < options.runs; ++run) current.run(mutator.next());
  std::cout << name << ": " << corpus.size() << " inputs of the corpus and " << options.runs
            << " changed ones, seed " << options.seed << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  const std::string name = std::filesystem::path(argv[0]).filename();
  if (!options.corpus_directory.empty()) {
    write_corpus(options.corpus_directory, assent::fuzz::corpus());
  } else if (!options.files.empty()) {
    for (const std::string& path : options.files) {
      const std::string input = read(path);
      Current(name + ".input", input.size() + 1).run(input);
    }
  } else {
    run_all(options, name);
  }
  return 0;
}
