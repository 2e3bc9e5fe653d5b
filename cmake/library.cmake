# Flags of our own code, and the two ways in which our targets are made.
add_library(assent_flags INTERFACE)
target_include_directories(assent_flags INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/include)
target_compile_options(assent_flags INTERFACE
  -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wswitch -Werror -fno-omit-frame-pointer
  # GCC 12 sees uninitialised members in moved std::variants at -O2; the sanitizers judge better.
  $<$<CONFIG:Release>:-Wno-maybe-uninitialized>)
target_compile_definitions(assent_flags INTERFACE
  BOOST_LOG_DYN_LINK ASSENT_VERSION="${PROJECT_VERSION}")
if(ASSENT_SANITIZE)
  add_compile_options(-fsanitize=${ASSENT_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${ASSENT_SANITIZE})
  if(ASSENT_SANITIZE MATCHES thread)
    add_compile_definitions(BOOST_ASIO_DISABLE_FENCED_BLOCK)
  endif()
endif()

# assent_library(NAME [PURE] SOURCES a.cc ... [LINK target ...])
# One library for one folder. A PURE one may link only `base` and other PURE ones; tests/purity checks
# its includes.
function(assent_library name)
  cmake_parse_arguments(ARG "PURE" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC assent_flags ${ARG_LINK})
  if(ARG_PURE)
    set_property(GLOBAL APPEND PROPERTY ASSENT_PURE_FOLDERS ${CMAKE_CURRENT_SOURCE_DIR})
  endif()
endfunction()

# assent_program(NAME SOURCES a.cc ... LINK target ...)
function(assent_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE assent_flags ${ARG_LINK})
endfunction()

# assent_test(NAME SOURCES a_test.cc ... LINK target ... [LABEL unit|simulation|postgres|integration])
# One gtest program, one ctest entry.
function(assent_test name)
  cmake_parse_arguments(ARG "" "LABEL" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE assent_flags ${ARG_LINK} GTest::gmock GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name})
  if(NOT ARG_LABEL)
    set(ARG_LABEL unit)
  endif()
  set_tests_properties(${name} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT 300)
endfunction()
