import Foundation
import TestHost
import Testing

@testable import ReproLab

@Suite("Edits of a source")
struct SourceFunctionTests {
  private static let source = """
    int add(int a, int b);

    static int
    add(int a, int b)
    {
    	if (a &&
    	    b)
    		return a + b;
    	return add_one(a);
    }

    int add_one(int a)
    {
    	return a + 1; /* add(a, 1) */
    }

    #ifdef X
    static void twice(void)
    {
    	add(1, 2);
    }
    #else
    static void twice(void)
    {
    }
    #endif
    """

  private func edited(_ function: String, _ find: String, _ replace: String) throws -> String {
    try [Mutation.Edit(file: "a.c", function: function, find: find, replace: replace)]
      .applied(to: Self.source, of: "m")
  }

  @Test("a blank is any white space, and $0 what was found")
  func applied() throws {
    let text = try edited("add", "if (a && b)", "if (0) /* $0 */")
    #expect(text.contains("if (0) /* if (a &&\n\t    b) */\n"))
    #expect(text.count == Self.source.count + "if (0) /*  */".count)
  }

  @Test("of several definitions, what the preprocessor chooses is not asked")
  func definitions() throws {
    #expect(SourceFunction("twice", in: Self.source)?.ranges.count == 2)
    #expect(try edited("twice", "add(1, 2)", ";").contains("\t;;\n"))
  }

  @Test(
    "what does not match exactly once is an error that names it",
    arguments: [
      ("add", "return", "m: a.c, add(): 'return' stands there 2 times"),
      ("add", "a + 1", "m: a.c, add(): 'a + 1' stands there 0 times"),
      ("dd", "return", "m: a.c, dd(): there is no such function"),
      ("nothing", "return", "m: a.c, nothing(): there is no such function"),
    ])
  func refused(_ function: String, _ find: String, _ complaint: String) {
    let error = #expect(throws: LabError.self) { try edited(function, find, "0") }
    #expect(error?.problem.hasPrefix(complaint) == true, "\(error?.problem ?? "")")
  }

  @Test("a tree has its own text again after a build, and after a build that a crash ended")
  func putBack() async throws {
    let folder = try TemporaryFolder()
    try FileManager.default.createDirectory(atPath: folder("source/mm"), withIntermediateDirectories: true)
    try folder.write("VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 117\n", to: "source/Makefile")
    try folder.write(Self.source, to: "source/mm/a.c")
    let tree = try #require(try KernelTree(existing: folder.path))
    #expect(tree.version == "6.12.117")
    let edit = Mutation.Edit(file: "mm/a.c", function: "add", find: "a + b", replace: "0")
    let files = try tree.edited([edit], of: "m")
    await #expect(throws: LabError.self) {
      try await tree.with(files) {
        #expect(try folder.read("source/mm/a.c").contains("return 0;"))
        // What a crash leaves is what is there now.
        try FileManager.default.copyItem(atPath: folder("originals"), toPath: folder("left"))
        throw LabError("does not compile", remedy: "")
      }
    }
    #expect(try folder.read("source/mm/a.c") == Self.source)
    try folder.write("edited", to: "source/mm/a.c")
    try FileManager.default.moveItem(atPath: folder("left"), toPath: folder("originals"))
    _ = try KernelTree(existing: folder.path)
    #expect(try folder.read("source/mm/a.c") == Self.source)
    #expect(!folder.names.contains("originals"))
  }

  @Test("a failed compilation shows the compiler's lines")
  func complaint() {
    let errors = """
      In file included from mm/ksm.c:17:
      mm/ksm.c:1290:7: error: 'x' undeclared (first use in this function)
       1290 |   if (x)
      make[3]: *** [scripts/Makefile.build:243: mm/ksm.o] Error 1
      """
    #expect(
      KernelBuild.complaint(errors)
        == "mm/ksm.c:1290:7: error: 'x' undeclared (first use in this function) | 1290 |   if (x)")
    #expect(KernelBuild.complaint("a\nb\nc\nd") == "b | c | d")
  }

  @Test("an option that is off stands in a configuration as a comment")
  func configuration() {
    #expect(
      KernelConfig.settings("# x\nCONFIG_A=y\nCONFIG_B=n\n") == ["CONFIG_A=y", "# CONFIG_B is not set"])
  }

  @Test("what older kernels do not know is left out for them")
  func since() {
    let text = "# x\nCONFIG_A=y\n\n# from 6.12\nCONFIG_B=y\n"
    #expect(KernelConfig.lines(text, of: "6.12.117") == ["CONFIG_A=y", "CONFIG_B=y"])
    #expect(KernelConfig.lines(text, of: "6.1.192") == ["CONFIG_A=y"])
  }

  @Test("the time that is left follows from what was built")
  func pace() {
    var pace = BuildPace([.whole, .file, .header])
    #expect(pace.left == "8 min")
    pace.done(840)
    #expect(pace.left == "90 s" || pace.left == "2 min")
    pace.done(30)
    #expect(pace.left == "60 s")
  }
}
